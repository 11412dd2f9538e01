"""The options that say which configuration a command works with."""

from typing import Annotated

import typer

Data = Annotated[str | None, typer.Option("--data", metavar="DIR", help="Folder with myelin.toml [./data].")]
ConfigFile = Annotated[str | None, typer.Option("--config", metavar="FILE", help="Config file [DIR/myelin.toml].")]
Sets = Annotated[list[str] | None, typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Any setting; repeatable.")]
