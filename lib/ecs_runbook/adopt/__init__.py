"""What is on a schedule already, taken into Terraform as it is, with just the differences that the reader chose."""
