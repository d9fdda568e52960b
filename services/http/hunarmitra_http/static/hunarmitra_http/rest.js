/** Shows the OpenAPI description; asks no other host (Swagger UI would have it validated elsewhere). */
SwaggerUIBundle({ url: document.getElementById('rest').dataset.description, dom_id: '#rest', deepLinking: true, docExpansion: 'list', validatorUrl: null });
