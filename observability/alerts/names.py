"""Names of the alerts that are causes of other alerts."""

from __future__ import annotations

from typing import Final

REDIS_AWAY: Final = "HunarMitraRedisAway"
REDIS_REFUSES: Final = "HunarMitraRedisRefuses"
POSTGRESQL_AWAY: Final = "HunarMitraPostgreSQLAway"
POSTGRESQL_READ_ONLY: Final = "HunarMitraPostgreSQLReadOnly"
SUBSCRIBER_DEAF: Final = "HunarMitraSubscriberDeaf"
OUTBOX_STUCK: Final = "HunarMitraOutboxStuck"
WS_PODS_GONE: Final = "HunarMitraWebSocketPodsGone"
HTTP_PODS_GONE: Final = "HunarMitraHttpPodsGone"
FLEET_FULL: Final = "HunarMitraFleetFull"
