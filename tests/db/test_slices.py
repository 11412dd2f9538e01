"""Long work in slices."""

import asyncio

from myelin.db.slices import sliced


async def test_all_come_in_their_order_and_others_have_their_turn_between() -> None:
    done: list[object] = []

    async def other() -> None:
        done.append("other")

    waiting = asyncio.create_task(other())
    async for some in sliced([1, 2, 3, 4, 5], 2):
        done += [some]
    await waiting
    assert done == [[1, 2], "other", [3, 4], [5]]


async def test_what_fits_into_one_slice_is_not_interrupted() -> None:
    done: list[object] = []

    async def other() -> None:
        done.append("other")

    waiting = asyncio.create_task(other())
    async for some in sliced([1, 2], 2):
        done += [some]
    async for some in sliced([], 2):
        done += [some]
    assert done == [[1, 2]]
    await waiting
