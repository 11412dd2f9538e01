"""What this server is."""

from importlib.metadata import version

from inprocess import TestServer


async def test_name_and_version_are_told_to_all(server: TestServer):
    answer = await server.anonymous.get("/_matrix/federation/v1/version")
    assert answer == {"server": {"name": "Myelin", "version": version("myelin-server")}}
