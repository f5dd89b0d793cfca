"""One local AWS for all tests of a module, and a folder of their own for what they write."""

from own_aws import aws, home, server

__all__ = ["aws", "home", "server"]
