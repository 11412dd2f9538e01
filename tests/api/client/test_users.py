"""The user directory's address."""

from inprocess import make_config, running_server
from myelin.config.sections.messaging import UserDirectory


async def test_searching_users(tmp_path):
    config = make_config(tmp_path, user_directory=UserDirectory(search_all_users=True))
    async with running_server(config) as server:
        alice = await server.register("alice")
        bob, bobby = await server.register("bob"), await server.register("bobby")
        await bob.put(f"profile/{bob.user_id}/displayname", {"displayname": "Robert"})
        answer = await alice.post("user_directory/search", {"search_term": "rob"})
        assert answer == {"results": [{"user_id": bob.user_id, "display_name": "Robert"}], "limited": False}
        answer = await alice.post("user_directory/search", {"search_term": "bob", "limit": 1})
        assert answer == {"results": [{"user_id": bob.user_id, "display_name": "Robert"}], "limited": True}
        answer = await alice.post("user_directory/search", {"search_term": "bobb"})
        assert answer["results"] == [{"user_id": bobby.user_id}]
        for body, errcode in (
            ({}, "M_MISSING_PARAM"),
            ({"search_term": 5}, "M_BAD_JSON"),
            ({"search_term": "x", "limit": "many"}, "M_BAD_JSON"),
            ({"search_term": "x", "limit": -1}, "M_INVALID_PARAM"),
        ):
            (await alice("POST", "user_directory/search", body)).error(400, errcode)
        (await server.anonymous("POST", "user_directory/search", {"search_term": "x"})).error(401, "M_MISSING_TOKEN")
