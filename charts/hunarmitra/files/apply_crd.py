"""Server-side apply of one custom resource definition, from inside the cluster: `apply.py FILE NAME`.

The API server takes YAML as it is, so that Python's standard library is all this needs.
"""

from __future__ import annotations

import os
import ssl
import sys
import urllib.error
import urllib.request
from pathlib import Path

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


def main(file: str, name: str) -> int:
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
    address = f"[{host}]" if ":" in host else host
    request = urllib.request.Request(  # always https
        f"https://{address}:{port}/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}"
        "?fieldManager=hunarmitra-chart&force=true",
        data=Path(file).read_bytes(),
        method="PATCH",
        headers={
            "Authorization": f"Bearer {(ACCOUNT / 'token').read_text()}",
            "Content-Type": "application/apply-patch+yaml",
        },
    )
    trust = ssl.create_default_context(cafile=str(ACCOUNT / "ca.crt"))
    # Since 3.13 Python rejects authorities without a key usage extension, which many clusters have.
    trust.verify_flags &= ~ssl.VERIFY_X509_STRICT
    try:
        with urllib.request.urlopen(request, timeout=30, context=trust) as response:  # noqa: S310
            print(f"applied {name}: {response.status}")  # noqa: T201 - a command
    except urllib.error.HTTPError as error:
        print(f"{name} was rejected: {error.code} {error.read().decode(errors='replace')}", file=sys.stderr)  # noqa: T201
        return 1
    except OSError as error:
        print(f"{name} cannot be applied: {error}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
