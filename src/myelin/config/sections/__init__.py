"""The sections of `myelin.toml`: one frozen Struct each, every key with its meaning, unit and bounds."""
