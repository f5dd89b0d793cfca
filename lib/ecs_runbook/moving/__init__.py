"""Move the job of a rule to EventBridge Scheduler: what is carried, what is not, and when to switch."""
