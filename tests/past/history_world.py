"""A local AWS on which six days went by, with a trail: what ran well, stale, was refused, and what never ran."""

import json

from scheduled_world import DAILY, ScheduledWorld

BUCKET = "trail-of-the-team"
DAYS = 6
REGION = "eu-west-2"
ACCOUNT = "123456789012"


class HistoryWorld(ScheduledWorld):
    """
    ``nightly`` runs well, ``payroll`` is pinned, ``refused`` may not, ``closed`` is not let in, ``mended`` was refused.

    All are due at 17:00 UTC, from day 0 to day 5; it is noon of day 6 in the end.
    """

    def __init__(self, server):
        super().__init__(server)
        self.keep_a_trail()
        self.simple("nightly", DAILY)
        self.define("payroll")
        self.rule("payroll", DAILY, self.target("payroll", self.events_role("wages", "payroll"), revision=":1"))
        self.define("refused")
        self.rule("refused", DAILY, self.target("refused", self.events_role("refused-events")))
        self.simple_schedule("closed", DAILY)
        self.trust("closed-events", "ecs-tasks.amazonaws.com")
        self.define("mended")
        self.rule("mended", DAILY, self.target("mended", self.events_role("mended-events")))
        self.go(2, 12)
        self.define("payroll")
        self.go(3, 12)
        self.define("nightly")
        self.go(4, 12)
        self.permit("mended-events", "mended")
        self.go(DAYS, 12)

    def keep_a_trail(self):
        """Let CloudTrail deliver every Region's records into a bucket of its own."""
        s3, arn = self.client("s3"), f"arn:aws:s3:::{BUCKET}"
        s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        service = {"Principal": {"Service": "cloudtrail.amazonaws.com"}, "Effect": "Allow"}
        put = {"Action": "s3:PutObject", "Resource": f"{arn}/AWSLogs/{ACCOUNT}/*"}
        statements = [service | {"Action": "s3:GetBucketAcl", "Resource": arn}, service | put]
        s3.put_bucket_policy(Bucket=BUCKET, Policy=json.dumps({"Version": "2012-10-17", "Statement": statements}))
        trail = self.client("cloudtrail")
        trail.create_trail(Name="team", S3BucketName=BUCKET, IsMultiRegionTrail=True)
        trail.start_logging(Name="team")
