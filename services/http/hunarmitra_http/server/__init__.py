"""The server side of the REST service: receives requests and sends responses without a thread for each client."""
