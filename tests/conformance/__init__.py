"""An outside suite, SyTest, run against the started server."""
