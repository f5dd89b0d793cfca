"""What is left of a run for a person: the picture, the receipt, the page, the verdict's file."""
