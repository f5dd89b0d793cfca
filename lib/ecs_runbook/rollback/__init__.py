"""Go back from a bad revision: what it is, who runs it, three ways back with their price, and the one that is gone."""
