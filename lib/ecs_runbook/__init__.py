"""
Say what should run on a schedule in ECS; build it; fire it; show what ran, and why it did not.

The rooms, in the order of the flow; a room imports only from rooms above it, and from ``errors``, ``workspace``, ``progress`` and ``session``::

    wanted      what should run, and when
    terraform   write it, read it, run it
    firing      run it now, through EventBridge itself
    evidence    which revision ran, from ECS and CloudTrail
    verdicts    OK, NG or SKIP, each with because
    reports     the picture, the receipt, the page

``local_aws`` is the AWS that is there before anyone has an account; only ``session`` starts it, and nothing else imports it.
"""
