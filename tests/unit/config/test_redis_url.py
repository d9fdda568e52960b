"""The variable REDIS_URL, with and without Sentinels."""

from __future__ import annotations

import pytest

from hunarmitra.config.redis_url import RedisTarget, parse_redis_url


@pytest.mark.parametrize(
    "url",
    [
        "redis://host",
        "redis://host:6380/3",
        "rediss://user:pw@host:6379/0?ssl_cert_reqs=required",
        "redis://[::1]:6379",
    ],
)
def test_a_single_redis_is_left_to_redis_py(url: str) -> None:
    assert parse_redis_url(url) == RedisTarget(url=url)


@pytest.mark.parametrize(
    ("url", "target"),
    [
        (
            "redis+sentinel://s1:26379,s2:26380/primary/2",
            RedisTarget(sentinels=(("s1", 26379), ("s2", 26380)), primary_name="primary", database=2),
        ),
        ("redis+sentinel://s1/primary", RedisTarget(sentinels=(("s1", 26379),), primary_name="primary")),
        (
            "redis+sentinel://us%3Aer:p%40w@s1:1,[::1]:2/pri%20mary",
            RedisTarget(sentinels=(("s1", 1), ("::1", 2)), primary_name="pri mary", username="us:er", password="p@w"),
        ),
        (
            "redis+sentinel://:p@s1/primary",
            RedisTarget(sentinels=(("s1", 26379),), primary_name="primary", password="p"),
        ),
    ],
)
def test_sentinels(url: str, target: RedisTarget) -> None:
    assert parse_redis_url(url) == target


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("host:6379", "must begin with redis://, rediss:// or redis\\+sentinel://"),
        ("unix:///run/redis", "must begin with"),
        ("redis://", "must have a host"),
        ("redis://host:99999", "must have a host"),
        ("redis://host/zero", "must end with a database number"),
        ("redis://[host", "has an invalid host"),
        ("redis+sentinel://s1:26379", "must name the primary"),
        ("redis+sentinel://s1/primary/zero", "must name the primary"),
        ("redis+sentinel:///primary", "must list Sentinels"),
        ("redis+sentinel://s1:0/primary", "must list Sentinels"),
        ("redis+sentinel://s1,,s2/primary", "must list Sentinels"),
    ],
)
def test_refused(url: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_redis_url(url)


@pytest.mark.parametrize("url", ["redis://:hunter2@host", "redis+sentinel://:hunter2@s1/primary"])
def test_the_repr_hides_the_password(url: str) -> None:
    assert "hunter2" not in repr(parse_redis_url(url))
