"""Terraform: write it, find it, run it, read what it says."""
