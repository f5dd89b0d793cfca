"""The notebooks one after another, as `make demo` runs them."""
