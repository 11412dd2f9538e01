"""The real clock and the real randomness keep their promises."""

import time

from myelin.telemetry.ambient import SystemClock, SystemRandomness


def test_the_clock_tells_milliseconds_and_never_runs_backwards():
    clock = SystemClock()
    assert abs(clock.now_ms() - time.time() * 1000) < 5000
    moments = [clock.monotonic() for _ in range(100)]
    assert moments == sorted(moments)


def test_randomness_has_the_length_and_alphabet_asked_for():
    randomness = SystemRandomness()
    assert len(randomness.token_bytes(32)) == 32
    assert randomness.token_bytes(32) != randomness.token_bytes(32)
    assert set(randomness.string(500, "ab")) == {"a", "b"}
    assert len(randomness.string(7, "ab")) == 7
