"""The second factor of staff: a device, its codes, recovery codes, and the command."""

from __future__ import annotations

import io
import logging
from base64 import b32encode
from types import SimpleNamespace

import pytest
from django.core.management import CommandError, call_command
from django_otp.plugins.otp_totp import models as totp_models
from django_otp.plugins.otp_totp.models import TOTPDevice

from hunarmitra.accounts import services as accounts
from hunarmitra.accounts.models import User
from hunarmitra.second_factor import selectors, services
from hunarmitra.second_factor.models import RecoveryCode
from tests.services.conftest import CommittedBlock
from tests.services.people import People
from tests.support.totp import STEP, totp

NOW = 1_800_000_000


class Clock:
    """The clock of the server: a moment that only a test moves."""

    def __init__(self) -> None:
        self.now = float(NOW)

    def code(self, secret: str, steps: int = 0) -> str:
        return totp(b32encode(bytes.fromhex(secret)).decode(), at=self.now, steps=steps)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(totp_models, "time", SimpleNamespace(time=lambda: clock.now))
    return clock


@pytest.fixture
def staff(people: People) -> User:
    return people.staff


def added(user: User, clock: Clock) -> tuple[str, list[str]]:
    """Add a device; return its secret and the recovery codes. The code of this moment is used up."""
    secret = services.secret_generate()
    return secret, services.device_add(user_id=user.pk, secret=secret, code=clock.code(secret))


def refused(user: User, code: str) -> bool:
    try:
        services.code_use(user_id=user.pk, code=code)
    except services.WrongCodeError:
        return True
    return False


@pytest.mark.parametrize(
    ("moment", "code"),
    [(59, "287082"), (1111111109, "081804"), (1111111111, "050471"), (1234567890, "005924"), (2000000000, "279037")],
)
def test_codes_are_those_of_rfc_6238(staff: User, clock: Clock, moment: int, code: str) -> None:
    """Appendix B, of which an app shows the last six digits."""
    secret = b"12345678901234567890".hex()
    clock.now = moment
    assert clock.code(secret) == code
    services.device_add(user_id=staff.pk, secret=secret, code=code)


def test_a_device_is_added_with_a_code_and_ends_all_sessions(staff: User, clock: Clock) -> None:
    accounts.session_start(user=staff)
    epoch = staff.session_epoch
    assert selectors.state_of(staff.pk) is None
    _, codes = added(staff, clock)
    state = selectors.state_of(staff.pk)
    assert state is not None
    assert state.recovery_codes == len(set(codes)) == services.RECOVERY_CODES
    staff.refresh_from_db()
    assert staff.session_epoch == epoch + 1
    assert not staff.token_sessions.filter(revoked_at=None).exists()


def test_without_a_right_code_nothing_is_added(staff: User, clock: Clock) -> None:
    epoch, secret = staff.session_epoch, services.secret_generate()
    for code in ("", "000000x", clock.code(secret, 5), clock.code(services.secret_generate())):
        with pytest.raises(services.WrongCodeError):
            services.device_add(user_id=staff.pk, secret=secret, code=code)
    staff.refresh_from_db()
    assert (selectors.device_of(staff.pk), staff.session_epoch) == (None, epoch)
    assert not RecoveryCode.objects.exists()


def test_a_second_device_is_refused(staff: User, clock: Clock) -> None:
    first, _ = added(staff, clock)
    with pytest.raises(services.DeviceExistsError):
        added(staff, clock)
    assert TOTPDevice.objects.get().key == first


def test_a_code_works_once_and_so_does_no_older_one(staff: User, clock: Clock) -> None:
    secret, _ = added(staff, clock)
    used = clock.code(secret)
    assert refused(staff, used), "it has added the device"
    clock.now += STEP
    newer = clock.code(secret)
    assert services.code_use(user_id=staff.pk, code=f" {newer[:3]} {newer[3:]} ").user_id == staff.pk
    assert refused(staff, newer)
    assert refused(staff, used)
    assert refused(staff, clock.code(secret, -1))


def test_a_clock_may_be_wrong_by_one_step(staff: User, clock: Clock) -> None:
    secret, _ = added(staff, clock)
    clock.now += 10 * STEP
    assert refused(staff, clock.code(secret, 2))
    assert refused(staff, clock.code(secret, -2))
    for steps in (-1, 0, 1):
        assert not refused(staff, clock.code(secret, steps))


def test_failures_do_not_lock_the_device(staff: User, clock: Clock) -> None:
    """Those who know the password could lock the user out; attempts to sign in have limits of their own."""
    secret, _ = added(staff, clock)
    clock.now += STEP
    for _ in range(20):
        assert refused(staff, clock.code(secret, 7))
    assert not refused(staff, clock.code(secret))


@pytest.mark.parametrize("change", [lambda code: f"+{code[1:]}", lambda code: f"{code}0", lambda code: code[1:]])
def test_only_six_digits_are_a_code(staff: User, clock: Clock, change: object) -> None:
    assert callable(change)
    secret, _ = added(staff, clock)
    clock.now += STEP
    assert refused(staff, change(clock.code(secret)))


def test_digits_of_other_scripts_are_no_code(staff: User, clock: Clock) -> None:
    secret, _ = added(staff, clock)
    clock.now += STEP
    assert refused(staff, clock.code(secret).translate({ord("0") + digit: 0x0966 + digit for digit in range(10)}))


def test_a_recovery_code_works_once_as_people_type_it(staff: User, clock: Clock) -> None:
    _, codes = added(staff, clock)
    assert not refused(staff, codes[0])
    assert refused(staff, codes[0])
    assert not refused(staff, f" {codes[1].upper().replace('-', ' ')} ")
    state = selectors.state_of(staff.pk)
    assert state is not None
    assert state.recovery_codes == services.RECOVERY_CODES - 2


def test_recovery_codes_are_not_stored_and_are_of_their_user(staff: User, clock: Clock, people: People) -> None:
    _, codes = added(staff, clock)
    assert all(len(code.replace("-", "")) == 24 for code in codes)
    stored = set(RecoveryCode.objects.values_list("digest", flat=True))
    assert not stored & {code.replace("-", "") for code in codes}
    _, of_another = added(people.owner, clock)
    assert refused(staff, of_another[0])
    assert not refused(people.owner, of_another[0])


def test_new_recovery_codes_replace_the_old_ones(staff: User, clock: Clock) -> None:
    _, old = added(staff, clock)
    new = services.recovery_codes_renew(user_id=staff.pk)
    assert refused(staff, old[0])
    assert not refused(staff, new[0])


def test_a_removed_device_ends_all_sessions_and_its_codes(staff: User, clock: Clock) -> None:
    secret, codes = added(staff, clock)
    staff.refresh_from_db()
    accounts.session_start(user=staff)
    assert services.device_remove(user_id=staff.pk)
    assert not staff.token_sessions.filter(revoked_at=None).exists()
    assert not RecoveryCode.objects.exists()
    clock.now += STEP
    for code in (clock.code(secret), codes[0]):
        with pytest.raises(services.NoDeviceError):
            services.code_use(user_id=staff.pk, code=code)
    assert not services.device_remove(user_id=staff.pk)
    with pytest.raises(services.NoDeviceError):
        services.recovery_codes_renew(user_id=staff.pk)


def test_each_change_is_a_security_event_without_secrets(
    staff: User, clock: Clock, committed: CommittedBlock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with committed():
        secret, codes = added(staff, clock)
        services.code_use(user_id=staff.pk, code=codes[0])
        newer = services.recovery_codes_renew(user_id=staff.pk)
        services.device_remove(user_id=staff.pk)
    assert [line.split(" (")[0] for line in caplog.messages if "second_factor" in line] == [
        f"security event: second_factor {outcome}"
        for outcome in ("added", "recovery_code", "recovery_codes", "removed")
    ]
    for hidden in (secret, b32encode(bytes.fromhex(secret)).decode(), *codes, *newer):
        assert hidden not in caplog.text


def run_command(monkeypatch: pytest.MonkeyPatch, clock: Clock, action: str, username: str, *steps: int) -> str:
    """Run the command, typing the codes of these moments; return what it prints."""
    printed, typed = io.StringIO(), list(steps)

    def answer(prompt: str) -> str:
        if not typed:
            raise EOFError
        secret = printed.getvalue().split("type the secret")[1].split("\n\n")[1]
        return totp(secret, at=clock.now, steps=typed.pop(0))

    monkeypatch.setattr("builtins.input", answer)
    call_command("secondfactor", action, username, stdout=printed, stderr=printed)
    return printed.getvalue()


def test_the_command_adds_a_device_after_a_right_code(
    staff: User, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = run_command(monkeypatch, clock, "add", staff.username, 9, 0)
    assert "otpauth://totp/HunarMitra%3Astaff?secret=" in text
    assert "This is not a code of the secret" in text
    code = text.strip().splitlines()[-1].strip()
    assert not refused(staff, code)
    with pytest.raises(CommandError, match="has a second factor already"):
        run_command(monkeypatch, clock, "add", staff.username, 0)


@pytest.mark.parametrize("steps", [(), (9, 9, 9)])
def test_the_command_adds_nothing_without_one(
    staff: User, clock: Clock, monkeypatch: pytest.MonkeyPatch, steps: tuple[int, ...]
) -> None:
    with pytest.raises(CommandError, match="nothing is added"):
        run_command(monkeypatch, clock, "add", staff.username, *steps)
    assert selectors.device_of(staff.pk) is None


def test_the_command_makes_codes_and_removes_a_lost_device(
    staff: User, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    for action in ("codes", "remove"):
        with pytest.raises(CommandError, match="has no second factor"):
            run_command(monkeypatch, clock, action, staff.username)
    added(staff, clock)
    code = run_command(monkeypatch, clock, "codes", staff.username).strip().splitlines()[-1].strip()
    assert not refused(staff, code)
    assert "removed" in run_command(monkeypatch, clock, "remove", staff.username)
    assert selectors.device_of(staff.pk) is None
    with pytest.raises(CommandError, match="'nobody' does not exist"):
        run_command(monkeypatch, clock, "remove", "nobody")
