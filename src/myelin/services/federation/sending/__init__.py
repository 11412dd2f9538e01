"""Our events and EDUs on their way to other servers."""
