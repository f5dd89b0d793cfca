"""
What stands on the wire: HTTP to an operation with its parameters, and back.

Both ways go by botocore's own models, so every protocol of AWS (json, query, ec2, rest-json, rest-xml) is read the
same way.
"""

from __future__ import annotations

import functools
import io
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlencode

import botocore.loaders
import botocore.parsers
import botocore.serialize
from botocore.awsrequest import HeadersDict
from botocore.exceptions import UnknownServiceError
from moto.core.model import OperationModel
from moto.core.parse import PROTOCOL_PARSERS
from moto.core.request import Request, determine_request_protocol
from moto.core.routing import get_service_router
from moto.core.utils import get_service_model
from werkzeug.exceptions import NotFound

from ecs_runbook.local_aws.world import Answer

_LOG = logging.getLogger(__name__)
_BODY_UNREAD = frozenset({"s3"})  # objects may be large, and are no management events


@dataclass(frozen=True)
class Scope:
    """What a signature says: who signed, for which service and region."""

    access_key: str
    region: str
    service: str


def scope_of(environ: Mapping[str, Any]) -> Scope:
    """
    Return the scope of a request's signature; an unsigned request has an empty key and lies in ``us-east-1``.

    Examples
    --------
    >>> scope_of({"HTTP_AUTHORIZATION": "AWS4-HMAC-SHA256 Credential=local/20261124/eu-west-2/ecs/aws4_request, …"})
    Scope(access_key='local', region='eu-west-2', service='ecs')
    >>> scope_of({})
    Scope(access_key='', region='us-east-1', service='')
    """
    authorization = environ.get("HTTP_AUTHORIZATION", "")
    if "Credential=" in authorization:
        credential = authorization.split("Credential=", 1)[1].split(",", 1)[0].strip()
    else:
        credential = parse_qs(environ.get("QUERY_STRING", "")).get("X-Amz-Credential", [""])[0]
    parts = credential.rsplit("/", 4)
    if len(parts) != 5:
        return Scope("", "us-east-1", "")
    return Scope(access_key=parts[0], region=parts[2], service=parts[3])


@functools.cache
def _botocore_names() -> dict[str, str]:
    names = botocore.loaders.create_loader().list_available_services("service-2")
    return {name.replace("-", ""): name for name in names} | {"awslambda": "lambda"}


def botocore_name(moto_name: str) -> str:
    """
    Return botocore's name of what moto calls *moto_name*.

    Examples
    --------
    >>> botocore_name("applicationautoscaling"), botocore_name("ecs"), botocore_name("awslambda")
    ('application-autoscaling', 'ecs', 'lambda')
    """
    return _botocore_names().get(moto_name.replace("-", ""), moto_name)


class ReadRequest(Request):  # type: ignore[misc]  # moto is untyped
    """A request as moto takes it from its own server."""

    from_wsgi_server = True

    @property
    def raw_url(self) -> str:
        """Its address as it arrived; moto's own way takes it apart and puts it together again."""
        query = self.environ.get("QUERY_STRING", "")
        return f"http://{self.environ.get('HTTP_HOST', '')}{self.raw_path}{f'?{query}' if query else ''}"


@dataclass(frozen=True)
class Asked:
    """One operation that a request asks for. ``params`` is None when they could not be read."""

    model: OperationModel
    params: dict[str, Any] | None
    protocol: str
    request: ReadRequest


def asked(service: str, environ: dict[str, Any]) -> Asked | None:
    """
    Read which operation a request asks for, and with what; None if no operation of *service* is asked for.

    Parameters
    ----------
    service
        botocore's name.
    environ
        WSGI; its body is left for the next reader.
    """
    try:
        service_model = get_service_model(service)
        protocol = determine_request_protocol(service_model, environ.get("CONTENT_TYPE", ""))
        request = _request(environ, read_body=service not in _BODY_UNREAD)
        model, uri_params = _operation(service_model, request)
    except (NotFound, NotImplementedError, UnknownServiceError):
        return None
    except Exception:  # noqa: BLE001
        _LOG.exception("the operation of a request to %s could not be read", service)
        return None
    return Asked(model, _params(model, request, uri_params, protocol), protocol, request)


def _operation(service: Any, request: Request) -> tuple[OperationModel, dict[str, Any]]:
    """
    Return the operation, and what the path says of its parameters.

    A service may be called by the end of its name alone: SDKs for Go, and so Terraform, call CloudTrail
    ``CloudTrail_20131101``, where botocore's model has ``com.amazonaws.cloudtrail.…`` before it.
    """
    prefix, _, name = request.headers.get("X-Amz-Target", "").rpartition(".")
    whole = str(service.metadata.get("targetPrefix"))
    if prefix and whole.endswith(f".{prefix}") and name in service.operation_names:
        return service.operation_model(name), {}
    found: tuple[OperationModel, dict[str, Any]] = get_service_router(service.service_name).match(request)
    return found


def _request(environ: dict[str, Any], *, read_body: bool) -> ReadRequest:
    if not read_body:
        return ReadRequest({**environ, "wsgi.input": io.BytesIO(), "CONTENT_LENGTH": "0", "CONTENT_TYPE": ""})
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = io.BytesIO(body)
    return ReadRequest({**environ, "wsgi.input": io.BytesIO(body)})


def _params(
    model: OperationModel, request: Request, uri_params: dict[str, Any], protocol: str
) -> dict[str, Any] | None:
    try:
        # The query parser reads the form, which must be parsed before the body is.
        values = request.values
        parsed = PROTOCOL_PARSERS[protocol](model).parse(
            {
                "method": request.method,
                "values": values,
                "headers": request.headers,
                "body": request.get_data(),
                "url_path": request.path,
                "url_params": uri_params,
            }
        )
        return dict(parsed)
    except Exception:  # noqa: BLE001
        _LOG.exception("the parameters of %s could not be read", model.name)
        return None


@functools.cache
def page_token(service: str, operation: str) -> str:
    """
    Return the parameter that asks *operation* for a later page; nothing if it has no pages.

    Examples
    --------
    >>> page_token("events", "ListRules"), page_token("ecs", "RunTask")
    ('NextToken', '')
    """
    shape = get_service_model(service).operation_model(operation).input_shape
    names = shape.members if shape is not None else {}
    return next((name for name in names if name.lower() in {"nexttoken", "marker"}), "")


@functools.cache
def protocol_of(service: str) -> str:
    """Return the protocol in which the local AWS speaks for *service*: one that both moto and botocore know."""
    metadata = get_service_model(service).metadata
    offered = [metadata.get("protocol"), *metadata.get("protocols", [])]
    return next((str(protocol) for protocol in offered if protocol in PROTOCOL_PARSERS), "json")


def answered(service: str, operation: str, answer: Answer, *, protocol: str = "") -> dict[str, Any]:
    """
    Read an answer: the operation's output; of a refusal ``{"Error": {"Code", "Message"}}``.

    Parameters
    ----------
    protocol
        Of the request; the service's own if left out.
    """
    model = get_service_model(service).operation_model(operation)
    headers = HeadersDict(dict(answer.headers))
    response = {"status_code": answer.status, "headers": headers, "body": answer.body}
    parser = botocore.parsers.create_parser(protocol or protocol_of(service))
    parsed: dict[str, Any] = parser.parse(response, model.output_shape)
    parsed.pop("ResponseMetadata", None)
    return parsed


def request_for(
    service: str,
    operation: str,
    params: Mapping[str, Any],
    *,
    region: str,
    access_key: str,
    session_token: str,
    user_agent: str,
    source_ip: str,
) -> dict[str, Any]:
    """Write the WSGI environment of a call, as an SDK would have sent it."""
    service_model = get_service_model(service)
    model = service_model.operation_model(operation)
    # Unvalidated: what is wrong with the parameters is for the service to say.
    serializer = botocore.serialize.create_serializer(protocol_of(service), include_validation=False)
    request = serializer.serialize_to_request(dict(params), model)
    body = request["body"]
    raw = urlencode(body, doseq=True).encode() if isinstance(body, dict) else _bytes(body)
    path, _, query = request["url_path"].partition("?")
    extra = urlencode(request["query_string"], doseq=True) if request["query_string"] else ""
    signing = service_model.metadata.get("signingName") or service_model.endpoint_prefix
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": path or "/",
        "RAW_URI": path or "/",
        "QUERY_STRING": "&".join(part for part in (query, extra) if part),
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": "127.0.0.1",
        "REMOTE_ADDR": source_ip,
        "CONTENT_LENGTH": str(len(raw)),
        "HTTP_AUTHORIZATION": f"AWS4-HMAC-SHA256 Credential={access_key}/20000101/{region}/{signing}/aws4_request, "
        "SignedHeaders=host, Signature=0",
        "HTTP_USER_AGENT": user_agent,
        "wsgi.input": io.BytesIO(raw),
        "wsgi.url_scheme": "http",
        "wsgi.version": (1, 0),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    if session_token:
        environ["HTTP_X_AMZ_SECURITY_TOKEN"] = session_token
    for name, value in request["headers"].items():
        key = name.upper().replace("-", "_")
        environ[key if key == "CONTENT_TYPE" else f"HTTP_{key}"] = value
    return environ


def _bytes(body: Any) -> bytes:
    return body.encode() if isinstance(body, str) else bytes(body or b"")
