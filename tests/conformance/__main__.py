"""Runs SyTest, a black-box suite for homeservers, against `myelin serve`, and holds the results to the baseline."""

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from conformance.baseline import BASELINE, fallen, merged, read_baseline, read_not_applicable, write_baseline
from conformance.sytest_results import Case, read_results, tally

HERE = Path(__file__).parent
ROOM_VERSION = "10"
"""The newest that the suite's own federation peer knows."""
PORTS = "18800:18999"
PERL_MODULES = ("Net::Async::HTTP::Server", "Net::Async::HTTP", "IO::Async::SSL", "CryptX", "JSON::XS", "DBD::Pg")
FIRST = "tests/10apidoc/"
"""Where abilities are proved that later tests require."""
APART = tuple(f"tests/61push/0{number}_" for number in range(2, 10))
"""What runs for itself: a test before it that waits in vain for a push takes the ones that it waits for."""
PROVED_ELSEWHERE = ("can_change_power_levels", "can_upload_media", "can_download_media")
"""What later tests require, and no test of the suite proves any more: without it they would be skipped."""


def main() -> None:
    """Run the suite, or the files that are named; the exit code says whether a test has fallen."""
    options = _parse()
    source = _source()
    work = options.work.absolute()
    files = options.files or _all_files(source)
    results: dict[Case, str] = {}
    for number, batch in enumerate(_batches(files)):
        results |= _run(_with_abilities(source, work / "suite"), work / str(number), batch, options.ports)
    print(tally(results))
    known = read_baseline() if BASELINE.exists() else {}
    down = fallen(known, results, files)
    for test in down:
        print(f"fell: {test.file}: {test.name} ({known[test]} -> {results.get(test, 'missing')})")
    _print_failures(results)
    if options.write and not down:
        write_baseline(merged(known, results))
    sys.exit(1 if down else 0)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", help="test files such as tests/30rooms/01state.pl [all]")
    parser.add_argument("--work", type=Path, default=Path(".cache/sytest"), help="folder for servers and logs")
    parser.add_argument("--ports", default=PORTS, help="a range A:B that no other run uses meanwhile [%(default)s]")
    parser.add_argument("--write", action="store_true", help="put the results into the baseline, unless a test fell")
    return parser.parse_args()


def _source() -> Path:
    """Where SyTest is. Ends the program, saying what is missing, if it cannot run."""
    source = Path(os.environ.get("SYTEST_SRC", ""))
    if not (source / "run-tests.pl").is_file():
        sys.exit("SYTEST_SRC must name a checkout of https://github.com/matrix-org/sytest")
    missing = [
        module
        for module in PERL_MODULES
        if subprocess.run(["perl", f"-M{module}", "-e1"], env=_environment(), capture_output=True).returncode
    ]
    if missing:
        sys.exit(f"Perl lacks {', '.join(missing)}; put a module that is not packaged into a folder named by PERL5LIB")
    return source


def _environment() -> dict[str, str]:
    libraries = [str(HERE / "perl5"), os.environ.get("PERL5LIB", "")]
    return {**os.environ, "PERL5LIB": ":".join(filter(None, libraries)), "SYTEST_PLUGINS": str(HERE / "plugins")}


def _all_files(source: Path) -> list[str]:
    paths = sorted(str(path.relative_to(source)) for path in source.glob("tests/**/*.pl"))
    return [path for path in paths if not path.startswith("tests/0")]


def _with_abilities(source: Path, suite: Path) -> Path:
    """The suite and one file more, which is read first and never run: what such a file proves is presumed."""
    (suite / "tests").mkdir(parents=True, exist_ok=True)
    for folder, to in ((source, suite), (source / "tests", suite / "tests")):
        for path in folder.iterdir():
            if path.name != "tests" and not (to / path.name).exists():
                (to / path.name).symlink_to(path.absolute())
    proves = f"proves => [qw( {' '.join(PROVED_ELSEWHERE)} )]"
    (suite / "tests" / "08elsewhere.pl").write_text(f'test "elsewhere", {proves}, do => sub {{ Future->done( 1 ) }};\n')
    return suite


def _batches(files: Sequence[str]) -> Iterator[list[str]]:
    """Tests of later files are skipped where one of the first files fails, unless that file is not in their run."""
    apart = [file for file in files if file.startswith(APART)]
    first = [file for file in files if file.startswith(FIRST)]
    others = [file for file in files if file not in {*apart, *first}]
    yield from (batch for batch in (first, others, *([file] for file in apart)) if batch)


def _run(source: Path, work: Path, files: Sequence[str], ports: str) -> dict[Case, str]:
    work.mkdir(parents=True, exist_ok=True)
    command = [
        *("perl", "run-tests.pl", "-I", "Generic", "-O", "tap", "--all", "--exclude-deprecated"),
        *("--hs-command", f"{sys.executable} {HERE / 'sytest_server.py'}"),
        *("--bind-host", "127.0.0.1", "--port-range", ports, "--room-version", ROOM_VERSION),
        *("--work-directory", str(work), *files),
    ]
    with (work / "out.tap").open("wb") as tap, (work / "err.txt").open("wb") as log:
        subprocess.run(command, cwd=source, env=_environment(), stdout=tap, stderr=log, check=False)
    results = read_results(work / "out.tap", work / "err.txt")
    if not results:
        last = "\n".join((work / "err.txt").read_text(errors="replace").splitlines()[-20:])
        sys.exit(f"{last}\nno test was run; all of it is in {work / 'err.txt'}")
    return results


def _print_failures(results: dict[Case, str]) -> None:
    excused = read_not_applicable()
    for test, status in results.items():
        if status == "fail" and test not in excused:
            print(f"fail: {test.file}: {test.name}")


if __name__ == "__main__":
    main()
