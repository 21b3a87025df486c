"""``/v1/describe`` over real sockets: every way to send a picture, and every way to send what is none."""

from __future__ import annotations

import base64
import io
import threading
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from PIL import Image
from serving import SAID, StandIn, jpeg

from personvlm.server.settings import ServerSettings

Serve = Callable[..., Any]
HTTP = httpx.Client(timeout=30)
B64 = base64.b64encode(jpeg()).decode()


def post(server: Any, **what: Any) -> httpx.Response:
    return HTTP.post(f"{server.url}/v1/describe", **what)


def png(width: int, height: int) -> bytes:
    stream = io.BytesIO()
    Image.new("1", (width, height)).save(stream, "PNG")
    return stream.getvalue()


def problem(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = response.json()
    assert (body["status"], body["code"], body["type"]) == (status, code, "about:blank")
    assert body["title"]
    assert body["detail"]
    return body


@pytest.mark.parametrize("what", [
    {"content": jpeg(), "headers": {"content-type": "image/jpeg"}},
    {"files": {"image": ("a.jpg", jpeg())}},
    {"json": {"image": B64}},
    {"json": {"images": ["data:image/jpeg;base64," + B64]}},
])  # fmt: skip
def test_one_picture(serve: Serve, what: Any) -> None:
    with_name = "files" in what
    found = post(serve(), **what)
    assert found.status_code == 200
    (result,) = found.json()["results"]
    assert result["input"] == ("a.jpg" if with_name else "#0")
    assert result["text"] == SAID.text
    assert result["attributes"]["upper.color"] == {"value": ["red", "black"], "confidence": 0.8}
    assert (result["quality"], result["model"]) == (0.5, "stand-in 1")
    assert result["latency_ms"] > 0


def test_several_pictures_one_of_them_bad(serve: Serve) -> None:
    half = jpeg()[:-200]  # begins like a picture
    files = [("image", ("a.jpg", jpeg())), ("image", ("b.jpg", half)), ("image", ("c.jpg", jpeg()))]
    rows = post(serve(), files=files).json()["results"]
    assert [row["input"] for row in rows] == ["a.jpg", "b.jpg", "c.jpg"]
    assert [row.get("text") for row in rows] == [SAID.text, None, SAID.text]
    assert rows[1]["error"].startswith("b.jpg: damaged or truncated")


def test_options_reach_the_describer(serve: Serve, stand_in: StandIn) -> None:
    server = serve()
    asked = {"say": "all", "gender": False, "candidates": 2}
    assert post(server, json={"image": B64, **asked}).status_code == 200
    assert post(server, files={"image": jpeg()}, data={"min_precision": "0.9", "age": "false"}).status_code == 200
    query = {"say": "all"}
    assert post(server, content=jpeg(), headers={"content-type": "image/jpeg"}, params=query).status_code == 200
    assert stand_in.asked == [asked, {"min_precision": 0.9, "age": False}, {"say": "all"}]


def test_a_deployment_without_gender_never_gives_it(serve: Serve, stand_in: StandIn) -> None:
    server = serve(gender=False, age=False)
    (result,) = post(server, json={"image": B64, "gender": True}).json()["results"]
    assert set(result["attributes"]) == {"upper.garment", "upper.color"}
    assert stand_in.asked == [{"gender": False, "age": False}]


@pytest.mark.parametrize(("what", "status", "code"), [
    ({"content": b"", "headers": {"content-type": "image/jpeg"}}, 422, "bad_picture"),
    ({"content": b"no picture", "headers": {"content-type": "image/png"}}, 422, "bad_picture"),
    ({"content": jpeg()[:-200], "headers": {"content-type": "image/jpeg"}}, 422, "bad_picture"),
    ({"content": jpeg(4, 4), "headers": {"content-type": "image/jpeg"}}, 422, "bad_picture"),
    ({"content": png(400, 400), "headers": {"content-type": "image/png"}}, 413, "too_many_pixels"),
    ({"content": jpeg() + bytes(50_000), "headers": {"content-type": "image/jpeg"}}, 413, "too_large"),
    ({"content": bytes(300_000), "headers": {"content-type": "image/jpeg"}}, 413, "too_large"),
    ({"content": b"x", "headers": {"content-type": "text/plain"}}, 415, "media_type"),
    ({"content": b"x"}, 415, "media_type"),
    ({"content": b"{", "headers": {"content-type": "application/json"}}, 400, "bad_json"),
    ({"content": b"[" * 100_000, "headers": {"content-type": "application/json"}}, 400, "bad_json"),
    ({"content": b"\xff", "headers": {"content-type": "application/json"}}, 400, "bad_json"),
    ({"json": []}, 422, "invalid_request"),
    ({"json": {}}, 422, "no_picture"),
    ({"json": {"image": "*"}}, 422, "bad_picture"),
    ({"json": {"image": "data:image/jpeg,abc"}}, 422, "bad_picture"),
    ({"json": {"image": B64, "say": "everything"}}, 422, "invalid_request"),
    ({"json": {"image": B64, "say": "all", "min_precision": 0.9}}, 422, "invalid_request"),
    ({"json": {"image": B64, "min_precision": 2}}, 422, "invalid_request"),
    ({"json": {"image": B64, "hue": "red"}}, 422, "invalid_request"),
    ({"json": {"images": [B64] * 5}}, 413, "too_many_pictures"),
    ({"json": {"image": "http://example.org/a.jpg"}}, 403, "urls_not_allowed"),
    ({"content": b'{"\\ud800": 1}', "headers": {"content-type": "application/json"}}, 422, "invalid_request"),
    ({"files": {"picture": jpeg()}}, 422, "invalid_request"),
    ({"files": [("image", jpeg())] * 5}, 413, "too_many_pictures"),
    ({"files": [("image", jpeg())] * 9}, 413, "too_many_pictures"),
    ({"content": b"--x\r\n", "headers": {"content-type": "multipart/form-data"}}, 400, "bad_form"),
    ({"content": b"--y\r\n", "headers": {"content-type": "multipart/form-data; boundary=x"}}, 400, "bad_form"),
    ({"content": jpeg(), "headers": {"content-type": "image/jpeg"}, "params": {"say": "no"}}, 422, "invalid_request"),
])  # fmt: skip
def test_what_is_refused(serve: Serve, stand_in: StandIn, what: Any, status: int, code: str) -> None:
    server = serve(max_pixels=100_000, max_bytes=20_000, max_body=250_000, max_images=4)
    body = problem(post(server, **what), status, code)
    assert B64 not in str(body), "an error does not send the picture back"
    assert stand_in.asked == []
    assert post(server, json={"image": B64}).status_code == 200, "the server goes on"


def test_a_body_without_a_length_is_bounded_too(serve: Serve) -> None:
    server = serve(max_body=100_000)

    def chunks() -> Any:
        for _ in range(30):
            yield bytes(10_000)

    problem(post(server, content=chunks(), headers={"content-type": "image/jpeg"}), 413, "too_large")


def test_a_body_that_does_not_come_is_not_waited_for(serve: Serve) -> None:
    import socket

    server = serve(body_s=0.3)
    with socket.create_connection(("127.0.0.1", server.port), 100) as connection:
        connection.sendall(b"POST /v1/describe HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: image/jpeg\r\n"
                           b"Content-Length: 1000\r\n\r\nabc")  # fmt: skip
        answer = connection.recv(4096)
    assert b" 408 " in answer.split(b"\r\n")[0]


def test_a_full_queue_says_so_and_recovers(serve: Serve, stand_in: StandIn) -> None:
    server = serve(waiting=2)
    stand_in.gate.clear()
    answers: list[httpx.Response] = []
    threads = [threading.Thread(target=lambda: answers.append(post(server, json={"image": B64}))) for _ in range(6)]
    for thread in threads:
        thread.start()
        time.sleep(0.1)
    refused = list(answers)
    stand_in.gate.set()
    for thread in threads:
        thread.join(20)
    assert [each.status_code for each in refused] == [429] * 3  # one is described, two wait
    problem(refused[0], 429, "queue_full")
    assert refused[0].headers["retry-after"] == "1"
    assert sorted(each.status_code for each in answers) == [200] * 3 + [429] * 3


def test_an_answer_that_takes_too_long(serve: Serve, stand_in: StandIn) -> None:
    server = serve(answer_s=0.3)
    stand_in.gate.clear()
    problem(post(server, json={"image": B64}), 504, "too_slow")
    stand_in.gate.set()


def test_the_same_key_is_done_once(serve: Serve, stand_in: StandIn) -> None:
    server = serve()
    key = {"idempotency-key": "k1"}
    first = post(server, json={"image": B64}, headers=key)
    again = post(server, json={"image": B64}, headers=key)
    assert first.status_code == again.status_code == 200
    assert first.content == again.content, "latency and all"
    assert len(stand_in.asked) == 1
    problem(post(server, json={"image": B64, "say": "all"}, headers=key), 422, "key_reused")
    problem(post(server, json={"image": B64}, headers={"idempotency-key": ""}), 400, "bad_key")
    assert post(server, json={"image": B64}, headers={"idempotency-key": "k2"}).status_code == 200
    assert len(stand_in.asked) == 2


def test_a_key_whose_request_is_under_way(serve: Serve, stand_in: StandIn) -> None:
    server = serve()
    stand_in.gate.clear()
    key = {"idempotency-key": "k"}
    answers: list[httpx.Response] = []
    thread = threading.Thread(target=lambda: answers.append(post(server, json={"image": B64}, headers=key)))
    thread.start()
    time.sleep(0.3)
    problem(post(server, json={"image": B64}, headers=key), 409, "in_progress")
    stand_in.gate.set()
    thread.join(20)
    assert answers[0].status_code == 200
    assert post(server, json={"image": B64}, headers=key).content == answers[0].content


def test_what_failed_for_now_is_not_kept(serve: Serve, stand_in: StandIn) -> None:
    server = serve(answer_s=0.3)
    stand_in.gate.clear()
    key = {"idempotency-key": "k"}
    assert post(server, json={"image": B64}, headers=key).status_code == 504
    stand_in.gate.set()
    time.sleep(0.2)
    assert post(server, json={"image": B64}, headers=key).status_code == 200


def test_what_is_kept_under_keys_is_bounded(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("personvlm.server.idempotency.ALL_BYTES", 2_000)
    server = serve()
    first = post(server, json={"image": B64}, headers={"idempotency-key": "1"})
    for number in range(2, 12):
        post(server, json={"image": B64}, headers={"idempotency-key": str(number)})
    last = [post(server, json={"image": B64}, headers={"idempotency-key": "11"}).content for _ in range(2)]
    assert last[0] == last[1]
    assert post(server, json={"image": B64}, headers={"idempotency-key": "1"}).content != first.content


def test_other_routes_and_methods(serve: Serve) -> None:
    server = serve()
    assert httpx.get(f"{server.url}/v1/describe").status_code == 405
    assert httpx.get(f"{server.url}/nowhere").json()["code"] == "not_found"
    assert httpx.get(f"{server.url}/healthz").json()["status"] == "ok"
    assert httpx.get(f"{server.url}/readyz").json() == {"status": "ok", "parts": {"describer": "ok"}}
    assert httpx.get(f"{server.url}/v1/schema").json()["properties"]["attributes"]["properties"]["gender"]


def test_metrics_and_headers(serve: Serve) -> None:
    server = serve()
    answer = post(server, json={"image": B64}, headers={"accept-encoding": "gzip"})
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"
    assert "access-control-allow-origin" not in answer.headers
    httpx.get(f"{server.url}/v1/unheard/of")
    text = httpx.get(f"{server.url}/metrics").text
    assert 'personvlm_http_requests_total{route="POST /v1/describe",status="200"} 1.0' in text
    assert 'personvlm_http_requests_total{route="other",status="404"} 1.0' in text
    assert 'personvlm_describe_requests_total{outcome="answered"} 1.0' in text
    assert 'personvlm_describe_stage_seconds_bucket{le="+Inf",stage="queue"} 1.0' in text


def test_large_answers_are_compressed(serve: Serve) -> None:
    answer = httpx.get(f"{serve().url}/v1/schema", headers={"accept-encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.json()["$schema"]


@pytest.mark.parametrize("wrong", [{"port": 70_000}, {"max_images": 0}, {"answer_s": 0.0}, {"rate": -1.0}])
def test_settings_that_cannot_be(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"port|limits|times"):
        ServerSettings(**wrong)
