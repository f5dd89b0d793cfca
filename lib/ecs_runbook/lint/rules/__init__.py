"""The rules, by what they look at: each takes a view of a configuration and says what it finds."""
