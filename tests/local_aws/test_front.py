"""The local AWS's HTTP: connections stay open, whatever the form of a call's body."""

import http.client
import json
import socket

import pytest

from ecs_runbook.local_aws.moto_answer import handler_of

HEADERS = {
    "X-Amz-Target": "AmazonEC2ContainerServiceV20141113.ListClusters",
    "Content-Type": "application/x-amz-json-1.1",
    "Authorization": "AWS4-HMAC-SHA256 Credential=local/20261124/eu-west-2/ecs/aws4_request, Signature=0",
}


@pytest.fixture
def connection(server):
    made = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    yield made
    made.close()


def answered(connection):
    response = connection.getresponse()
    return response.status, response.read()


def test_a_connection_serves_one_call_after_another(connection):
    connection.connect()
    first = connection.sock
    for _ in range(3):
        connection.request("POST", "/", b"{}", HEADERS)
        status, body = answered(connection)
        assert (status, len(json.loads(body)["clusterArns"])) == (200, 1)
        assert connection.sock is first


def test_a_body_may_come_in_chunks(connection):
    for _ in range(2):  # nothing of the first is left for the second
        connection.request("POST", "/", iter([b"{", b"}"]), HEADERS, encode_chunked=True)
        assert answered(connection)[0] == 200


def test_who_asks_whether_to_send_the_body_is_told_before_it_comes(server):
    lines = [f"{name}: {value}" for name, value in (HEADERS | {"Host": "127.0.0.1", "Content-Length": "2"}).items()]
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as raw:
        raw.sendall("\r\n".join(["POST / HTTP/1.1", *lines, "Expect: 100-continue", "", ""]).encode())
        assert raw.recv(1000).startswith(b"HTTP/1.1 100 Continue\r\n")
        raw.sendall(b"{}")
        assert raw.recv(1000).startswith(b"HTTP/1.1 200 OK\r\n")


def test_a_head_has_no_body(connection, client):
    s3 = client("s3")
    s3.create_bucket(Bucket="front")
    s3.put_object(Bucket="front", Key="a", Body=b"twelve bytes")
    assert s3.head_object(Bucket="front", Key="a")["ContentLength"] == 12
    assert s3.get_object(Bucket="front", Key="a")["Body"].read() == b"twelve bytes"
    connection.request("HEAD", "/_local/health")
    assert answered(connection) == (404, b"")
    connection.request("GET", "/_local/health")
    assert answered(connection)[0] == 200


def test_what_is_no_request_is_refused(server):
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as raw:
        raw.sendall(b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: many\r\n\r\n")
        assert raw.recv(100).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize(
    ("service", "straight"),
    [("ecs", True), ("events", True), ("iam", True), ("scheduler", True), ("sqs", True), ("s3", False)],
)
def test_a_service_of_one_handler_is_asked_without_flask(service, straight):
    from moto.moto_server.werkzeug_app import create_backend_app

    assert (handler_of(create_backend_app(service)) is not None) == straight
