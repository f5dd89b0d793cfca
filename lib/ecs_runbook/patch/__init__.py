"""Somebody's own Terraform files, mended by the smallest edits that do it."""
