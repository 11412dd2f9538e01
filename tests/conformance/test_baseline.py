"""The baseline may only rise."""

from pathlib import Path

from conformance.baseline import BASELINE, fallen, merged, read_baseline, read_not_applicable, write_baseline
from conformance.sytest_results import Case, read_results, tally

LOG = """tests/12login/01.pl:
    Test 1 Can log in... OK
    Test 2 Cannot log in... FAIL
tests/13logout.pl:
    Test 3 Can log out... SKIP
    Test 4 Never worked... EXPECTED FAIL
    Test 5 Never worked... OK
"""
TAP = """ok 1 Can log in (6 subtests)
  ok 1 a subtest
not ok 2 Cannot log in
# Started: now
ok 3 Can log out # skip lack of can_login
not ok 4 Never worked # TODO expected fail
ok 5 Never worked
1..4
"""
RESULTS = {
    Case("tests/12login/01.pl", "Can log in"): "pass",
    Case("tests/12login/01.pl", "Cannot log in"): "fail",
    Case("tests/13logout.pl", "Can log out"): "skip",
    Case("tests/13logout.pl", "Never worked"): "xfail",
    Case("tests/13logout.pl", "Never worked (2)"): "pass",
}


def test_a_run_is_read_from_what_it_printed(tmp_path: Path):
    (tmp_path / "out.tap").write_text(TAP)
    (tmp_path / "err.txt").write_text(LOG)
    results = read_results(tmp_path / "out.tap", tmp_path / "err.txt")
    assert results == RESULTS
    assert tally(results).splitlines()[-1] == "all" + " " * 30 + "pass    2  fail    1  expected to fail   1  skip    1"


def test_a_baseline_is_read_as_it_was_written(tmp_path: Path):
    write_baseline(RESULTS, tmp_path / "baseline.tsv")
    assert read_baseline(tmp_path / "baseline.tsv") == RESULTS


def test_only_tests_that_passed_and_were_run_can_fall():
    a, b, c = Case("one", "a"), Case("one", "b"), Case("two", "c")
    before = {a: "pass", b: "fail", c: "pass"}
    assert fallen(before, {a: "fail", b: "pass"}, ["one"]) == [a]
    assert fallen(before, {b: "fail"}, ["one"]) == [a]
    assert fallen(before, {a: "pass", b: "fail"}, ["one"]) == []
    assert merged(before, {a: "pass", b: "pass"}) == {a: "pass", b: "pass", c: "pass"}


def test_what_is_left_out_has_a_reason_and_does_not_pass():
    baseline = read_baseline(BASELINE)
    for test, reason in read_not_applicable().items():
        assert reason.endswith("."), test
        assert baseline.get(test) != "pass", test
