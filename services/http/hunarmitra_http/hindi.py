"""The Hindi texts of the REST API: of errors by code, of wrong fields by message, of notifications by event."""

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

FIELDS: Final[Mapping[str, str]] = {
    # REST framework's
    "This field is required.": "यह जानकारी देना ज़रूरी है।",
    "This field may not be null.": "यह जानकारी खाली नहीं हो सकती।",
    "This field may not be blank.": "यह जानकारी खाली नहीं हो सकती।",
    "Not a valid string.": "यह टेक्स्ट होना चाहिए।",
    "Ensure this field has no more than {max_length} characters.": "इसमें {max_length} से ज़्यादा अक्षर नहीं हो सकते।",
    "Null characters are not allowed.": "इसमें शून्य (null) अक्षर नहीं हो सकता।",
    "Surrogate characters are not allowed: {character}.": "इसमें यह अक्षर नहीं हो सकता: {character}।",
    "Invalid data. Expected a dictionary, but got {datatype}.": "यहाँ ऑब्जेक्ट होना चाहिए, पर {datatype} मिला।",
    "No data provided": "कोई जानकारी नहीं दी गई।",
    # Ours
    "Must be a UUID.": "यह UUID होना चाहिए।",
    "Must be one of {words}.": "यह इनमें से एक होना चाहिए: {words}।",
    "Must be a whole number.": "यह पूर्ण संख्या होनी चाहिए।",
    "Must be a number.": "यह संख्या होनी चाहिए।",
    "Must be a finite number.": "यह सीमित संख्या होनी चाहिए।",
    "Must be a number, or a string of one.": "यह संख्या होनी चाहिए, या टेक्स्ट में लिखी संख्या।",
    "Must be from {minimum} to {maximum}.": "यह {minimum} से {maximum} तक होना चाहिए।",
    "Must be at least {minimum} and less than {maximum}.": "यह कम से कम {minimum} और {maximum} से कम होना चाहिए।",
    "Must have at most {places} decimals.": "इसमें दशमलव के बाद {places} से ज़्यादा अंक नहीं हो सकते।",
    "Must be an RFC 3339 timestamp, such as {example}.": "यह RFC 3339 का समय होना चाहिए, जैसे {example}।",
    "Must have an offset; end it in Z for UTC.": "इसमें समय क्षेत्र (offset) होना चाहिए; UTC के लिए अंत में Z लिखें।",
    "Must not be more than {seconds} seconds in the future.": "यह समय अभी से {seconds} सेकंड से ज़्यादा आगे नहीं हो सकता।",
    "Must have 1 to {most} locations.": "इसमें 1 से {most} तक जगहें होनी चाहिए।",
    "lat and lng go together.": "lat और lng दोनों साथ में दें।",
    "Contains the character {character}; remove control characters and direction overrides.": (
        "इसमें {character} अक्षर है; नियंत्रण अक्षर और लिखने की दिशा बदलने वाले अक्षर हटाएँ।"
    ),
    "Must be a number of at most 18 digits.": "यह ज़्यादा से ज़्यादा 18 अंकों की संख्या होनी चाहिए।",
    "Must be 1 to 200 visible ASCII characters.": "इसमें 1 से 200 तक दिखने वाले ASCII अक्षर होने चाहिए।",
    "Must be a whole number from 1.": "यह 1 या उससे बड़ी पूर्ण संख्या होनी चाहिए।",
    "Give cursor or page, not both.": "cursor या page में से एक ही दें।",
    "Not a cursor of this list. Take it from next or previous; begin with ?cursor= alone.": (
        "यह इस सूची का cursor नहीं है। इसे next या previous से लें; शुरुआत खाली ?cursor= से करें।"
    ),
    "No active worker has this id.": "इस id का कोई सक्रिय कारीगर नहीं है।",
}
"""What is wrong with a field, by the English message. A name in braces stands for a value, which stays as it is."""

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
