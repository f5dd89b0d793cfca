"""How each of AWS's protocols says no: code and words as the service in question has them."""

from __future__ import annotations

import json
from html import escape
from typing import TYPE_CHECKING

from ecs_runbook.local_aws.world import Answer

if TYPE_CHECKING:
    from ecs_runbook.local_aws.wire import Asked


def refusal(asked: Asked | None, status: int, code: str, message: str) -> Answer:
    """Return a refusal in the protocol of what was *asked*; None stands for what could not be read, and JSON."""
    protocol = asked.protocol if asked else "json"
    if "json" in protocol:
        headers = [("Content-Type", "application/x-amz-json-1.1"), ("X-Amzn-ErrorType", code)]
        if asked and "awsQueryCompatible" in asked.model.service_model.metadata:
            headers.append(("x-amzn-query-error", f"{code};{'Sender' if status < 500 else 'Receiver'}"))
        return Answer(status, headers, json.dumps({"__type": code, "message": message}).encode())
    error = f"<Code>{escape(code)}</Code><Message>{escape(message)}</Message>"
    if protocol == "ec2":
        text = f"<Response><Errors><Error>{error}</Error></Errors><RequestID>0</RequestID></Response>"
    elif protocol == "query":
        text = f"<ErrorResponse><Error>{error}</Error><RequestId>0</RequestId></ErrorResponse>"
    else:
        text = f"<Error>{error}<RequestId>0</RequestId></Error>"
    return Answer(status, [("Content-Type", "text/xml")], text.encode())


def throttled(asked: Asked | None) -> Answer:
    """
    Refuse a call for coming too often.

    Notes
    -----
    Source: the codes are those that botocore retries as throttling; for ECS, AWS docs, "Request throttling for the
    Amazon ECS API", have code and words (verified). Which other service has which words is not verified.
    """
    protocol = asked.protocol if asked else "json"
    if protocol == "ec2":
        return refusal(asked, 503, "RequestLimitExceeded", "Request limit exceeded.")
    return refusal(asked, 400, "Throttling" if protocol == "query" else "ThrottlingException", "Rate exceeded")


def expired(asked: Asked | None) -> Answer:
    """
    Refuse a call whose session is over.

    Notes
    -----
    Source: AWS docs, "Common errors" of ECS, IAM and EC2 for the codes; the words of public issues. HTTP's status is
    not verified for each service.
    """
    protocol = asked.protocol if asked else "json"
    if protocol == "ec2":
        return refusal(asked, 400, "RequestExpired", "Request has expired.")
    code = "ExpiredTokenException" if "json" in protocol else "ExpiredToken"
    return refusal(asked, 403, code, "The security token included in the request is expired")


def denied(asked: Asked | None, message: str) -> Answer:
    """
    Refuse a call that IAM does not allow, with its *message*.

    Notes
    -----
    Source: AWS docs, "Common errors" of each protocol's services for the codes, botocore for SNS's; EC2 puts a sentence
    of its own before IAM's (seen in public issues).
    """
    protocol = asked.protocol if asked else "json"
    if asked is not None and asked.model.service_model.service_name == "sns":
        return refusal(asked, 403, "AuthorizationError", message)
    if protocol == "ec2":
        own = "You are not authorized to perform this operation. "
        return refusal(asked, 403, "UnauthorizedOperation", own + message)
    query_compatible = asked is not None and "awsQueryCompatible" in asked.model.service_model.metadata
    if "json" not in protocol or query_compatible:
        return refusal(asked, 403, "AccessDenied", message)
    return refusal(asked, 400 if protocol == "json" else 403, "AccessDeniedException", message)
