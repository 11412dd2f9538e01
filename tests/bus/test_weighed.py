"""A bounded cache of values that are not all of the same size."""

from myelin.bus.weighed import Weighed


def test_the_least_recently_used_goes_first() -> None:
    cache: Weighed[str, str] = Weighed(10, len)
    for key, value in (("a", "four"), ("b", "four"), ("c", "ab")):
        cache.put(key, value)
    assert cache.recall("a") == "four"
    cache.put("d", "x")
    assert [cache.recall(key) for key in "abcd"] == ["four", None, "ab", "x"]


def test_what_was_used_last_stays_whatever_it_weighs() -> None:
    cache: Weighed[str, str] = Weighed(10, len)
    cache.put("a", "four")
    cache.put("b", "far too much for it")
    assert (cache.recall("a"), cache.recall("b")) == (None, "far too much for it")
    cache.put("c", "x")
    assert (cache.recall("b"), cache.recall("c")) == (None, "x")


def test_what_is_put_again_or_forgotten_counts_no_more() -> None:
    cache: Weighed[str, str] = Weighed(10, len)
    for _ in range(5):
        cache.put("a", "four")
    cache.put("b", "twelve")
    assert (cache.recall("a"), cache.recall("b")) == ("four", "twelve")
    cache.forget("b")
    cache.forget("unknown")
    cache.put("c", "twelve")
    assert (cache.recall("a"), cache.recall("c")) == ("four", "twelve")


async def test_a_value_without_weight_counts_for_one() -> None:
    cache: Weighed[str, str] = Weighed(2, len)

    async def load(_key: str) -> str:
        return ""

    for key in "abc":
        assert await cache.get(key, load) == ""
    assert [cache.recall(key) for key in "abc"] == [None, "", ""]
