"""State resolution from room version 2 on, a module for each definition of the spec's text."""
