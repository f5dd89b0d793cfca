"""
The local AWS: moto as a server, and what moto lacks on the way from a schedule to a task.

It runs as a process of its own, on loopback alone, with its state in memory. Each behaviour names the fact of AWS that
it follows.
"""
