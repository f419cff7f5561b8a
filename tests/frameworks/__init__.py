"""The outcome table of DESIGN.md 3 on every framework, over real connections, in one suite."""
