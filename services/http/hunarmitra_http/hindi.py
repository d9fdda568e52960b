"""The Hindi texts of the REST API: the detail of an error by its code, and notifications by their event."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

ERRORS: Final[Mapping[str, str]] = {
    "bad_authorization_header": "अनुरोध में साइन इन की जानकारी सही ढंग से नहीं आई।",
    "bad_request": "अनुरोध सही नहीं है।",
    "booking_finished": "यह बुकिंग खत्म हो चुकी है।",
    "error": "यहाँ कुछ गड़बड़ हो गई। इसकी जानकारी दर्ज कर ली गई है।",
    "idempotency_key_reused": "यही अनुरोध पहले किसी दूसरी बुकिंग के लिए भेजा जा चुका है।",
    "illegal_transition": "बुकिंग की अभी की स्थिति में यह नहीं हो सकता।",
    "invalid": "दी गई जानकारी सही नहीं है।",
    "method_not_allowed": "यहाँ यह काम नहीं हो सकता।",
    "no_active_account": "यूज़र नाम या पासवर्ड सही नहीं है।",
    "no_position": "कारीगर कहाँ हैं, यह अभी पता नहीं है।",
    "not_authenticated": "कृपया साइन इन करें।",
    "not_found": "यह नहीं मिला।",
    "not_tracked": "इस बुकिंग के लिए अभी जगह नहीं भेजी जा सकती।",
    "parse_error": "अनुरोध पढ़ा नहीं जा सका।",
    "permission_denied": "आपको यह करने की अनुमति नहीं है।",
    "seq_mismatch": "बुकिंग इस बीच बदल गई है। कृपया फिर से देखें।",
    "session_reused": "आप साइन आउट हो गए हैं। कृपया फिर से साइन इन करें।",
    "session_expired": "आप साइन आउट हो गए हैं। कृपया फिर से साइन इन करें।",
    "stale_position": "इसके बाद की जगह पहले ही मिल चुकी है।",
    "throttled": "बहुत ज़्यादा अनुरोध आए हैं। कृपया थोड़ी देर बाद फिर कोशिश करें।",
    "token_not_valid": "आप साइन आउट हो गए हैं। कृपया फिर से साइन इन करें।",
    "too_large": "भेजी गई जानकारी बहुत बड़ी है।",
    "too_many_open": "आपकी बहुत सी बुकिंग अभी बाकी हैं। पहले उनमें से कोई पूरी या रद्द करें।",
    "unavailable": "सेवा अभी उपलब्ध नहीं है। कृपया फिर कोशिश करें।",
    "unsupported_media_type": "जानकारी इस रूप में नहीं भेजी जा सकती।",
}

NOTIFICATIONS: Final[Mapping[str, tuple[str, str]]] = {
    "booking_assigned": ("कारीगर तय हुए", "{service}: {worker} को यह काम दिया गया है।"),
    "booking_confirmed": ("बुकिंग पक्की हुई", "{service} की बुकिंग पक्की हो गई है।"),
    "booking_on_the_way": ("रास्ते में", "{service}: {worker} रास्ते में हैं।"),
    "booking_arrived": ("पहुँच गए", "{service}: {worker} पहुँच गए हैं।"),
    "booking_completed": ("काम पूरा हुआ", "{service} का काम पूरा हो गया है।"),
    "booking_cancelled": ("बुकिंग रद्द हुई", "{service} की बुकिंग रद्द हो गई है।"),
}
"""Title and message by `event_type`."""

THE_WORKER: Final = "कारीगर"
