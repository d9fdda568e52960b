"""Every setting that an operator may change, as a field with its default, its unit and its help.

``docs/configuration.md`` is generated from these fields; :mod:`hunarmitra.config.reading` fills them.
"""

from __future__ import annotations

from dataclasses import dataclass

from hunarmitra.config.declaration import DEVELOPMENT_SECRET
from hunarmitra.config.delivery_settings import DeliverySettings
from hunarmitra.config.process_settings import ProcessSettings
from hunarmitra.config.rest_settings import RestSettings
from hunarmitra.config.websocket_settings import WebSocketSettings


@dataclass(frozen=True, kw_only=True)
class Environment(DeliverySettings, WebSocketSettings, RestSettings, ProcessSettings):
    """Every setting, typed. Field ``access_lifetime`` is read from the variable ``ACCESS_LIFETIME``.

    A dataclass takes the fields of its last base first, so the bases stand in the opposite order of the documentation.
    """

    @property
    def traces(self) -> bool:
        return bool(self.otel_exporter_otlp_endpoint) and not self.otel_sdk_disabled

    @property
    def effective_secret_key(self) -> str:
        """The key that others follow from; empty in a ws process that has only public keys."""
        return self.secret_key or (DEVELOPMENT_SECRET if self.debug else "")

    @property
    def effective_hsts_seconds(self) -> int:
        return (0 if self.debug else 31536000) if self.hsts_seconds is None else self.hsts_seconds

    @property
    def serves_page(self) -> bool:
        return self.debug or self.demo if self.demo_page is None else self.demo_page

    @property
    def comparison_interval(self) -> float:
        """Seconds between comparisons; short in the embedded default, where reading is cheap."""
        if self.hub_comparison_interval is not None:
            return self.hub_comparison_interval
        return 5.0 if self.redis_url else 1.0

    @property
    def relays_in_process(self) -> bool:
        return self.redis_url is None if self.relay_in_process is None else self.relay_in_process
