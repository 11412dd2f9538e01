"""Downloads under another name than the file was uploaded with."""

from inprocess import TestServer
from media import call, upload


async def test_the_name_in_the_path_is_the_files_name(server: TestServer) -> None:
    alice = await server.register("alice")
    media = await upload(alice, b"words", "text/plain", "?filename=first.txt")
    host, media_id = media.split("/")
    answer = await call(alice, "GET", f"/_matrix/client/v1/media/download/{host}/{media_id}/second.txt")
    assert (answer.status, answer.data) == (200, b"words")
    assert "second.txt" in answer.headers["Content-Disposition"]
    assert "first.txt" not in answer.headers["Content-Disposition"]


async def test_the_paths_without_a_token_give_nothing(server: TestServer) -> None:
    alice = await server.register("alice")
    host, media_id = (await upload(alice, b"words", "text/plain")).split("/")
    answer = await call(alice, "GET", f"/_matrix/media/v3/download/{host}/{media_id}/second.txt")
    answer.error(404, "M_NOT_FOUND")
