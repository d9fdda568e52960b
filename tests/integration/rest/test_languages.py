"""Texts for people in the language that the client asks for, over HTTP."""

from __future__ import annotations

import re

from tests.support.actors import Actors
from tests.support.api import Api

HINDI = {"Accept-Language": "hi-IN,hi;q=0.9,en;q=0.8"}
DEVANAGARI = re.compile(r"[\u0900-\u097f]")


def test_an_error_in_hindi_has_the_same_code(actors: Actors, nobody: Api) -> None:
    booking = actors.new_booking("on_the_way")
    change = {"status": "confirmed"}
    plain = actors.worker.send("PATCH", f"bookings/{booking}/status/", change)
    hindi = actors.worker.send("PATCH", f"bookings/{booking}/status/", change, headers=HINDI)
    assert plain.status_code == hindi.status_code == 409
    assert plain.json() == {
        "detail": "A booking that is on_the_way cannot become confirmed.",
        "code": "illegal_transition",
    }
    assert hindi.json()["code"] == "illegal_transition"
    assert DEVANAGARI.search(hindi.json()["detail"])
    assert (plain.headers["Content-Language"], hindi.headers["Content-Language"]) == ("en", "hi")
    assert "accept-language" in hindi.headers["Vary"].lower()
    for path, status, code in [("bookings/", 401, "not_authenticated"), ("no/such/", 404, "not_found")]:
        answer = nobody.send("GET", path, headers=HINDI)
        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert DEVANAGARI.search(answer.json()["detail"]), path


def test_notifications_in_hindi_are_the_same_but_for_their_texts(actors: Actors) -> None:
    actors.new_booking("on_the_way", service="Fan repair")
    plain = actors.employer.call("GET", "notifications/")["results"]
    hindi = actors.employer.call("GET", "notifications/", headers=HINDI)["results"]
    assert hindi[0]["title"] == "रास्ते में"
    assert hindi[0]["message"] == f"Fan repair: {actors.worker.user.name} रास्ते में हैं।"
    assert plain[0]["title"] == "On the way"

    def without_texts(rows: list[dict[str, object]]) -> list[dict[str, object]]:
        return [{key: value for key, value in row.items() if key not in {"title", "message"}} for row in rows]

    assert without_texts(hindi) == without_texts(plain)
    read = actors.employer.call("PATCH", f"notifications/{hindi[0]['id']}/mark_read/", headers=HINDI)
    assert read["title"] == "रास्ते में"
