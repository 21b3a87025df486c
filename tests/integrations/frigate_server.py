"""A stand-in for Frigate: the routes that its documentation and source state, with their refusals, on a free port.

Routes: /api/version, /api/config, /api/login, /api/events, /api/events/ID, .../snapshot.jpg, and POST .../description,
.../sub_label, .../attributes. As in Frigate, a tracked person has a snapshot before it has a row in the database, the
snapshot is a square of at least 300 pixels around the box, and writing needs the admin's token or the internal port.
"""

from __future__ import annotations

import io
import json
import threading
import time as clock
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Box = tuple[int, int, int, int]


@dataclass
class Tracked:
    """One person of the stand-in: a frame, where the person is in it, and what was written about it."""

    id: str
    camera: str
    frame: NDArray[np.uint8]
    box: Box
    score: float = 0.7
    time: float = 0.0
    start: float = field(default_factory=clock.time)
    end: float | None = None
    row: bool = True
    picture: bool = True
    sub_label: Any = None
    data: dict[str, Any] = field(default_factory=dict)

    def message(self, kind: str) -> dict[str, Any]:
        after = {
            "id": self.id, "camera": self.camera, "frame_time": self.time, "label": "person",
            "sub_label": self.sub_label, "top_score": self.score, "false_positive": False, "start_time": self.start,
            "end_time": self.end, "score": self.score, "box": list(self.box), "area": 1000, "region": [0, 0, 320, 320],
            "stationary": False, "current_zones": [], "entered_zones": [], "has_clip": False,
            "has_snapshot": self.picture, "snapshot": {"frame_time": self.time, "box": list(self.box),
                                                       "region": [0, 0, 320, 320], "score": self.score},
        }  # fmt: skip
        return {"type": kind, "before": after, "after": after}

    def listed(self) -> dict[str, Any]:
        height, width = self.frame.shape[:2]
        x1, y1, x2, y2 = self.box
        box = [x1 / width, y1 / height, (x2 - x1) / width, (y2 - y1) / height]
        return {"id": self.id, "camera": self.camera, "label": "person", "start_time": self.start,
                "end_time": self.end, "has_snapshot": self.picture, "has_clip": False, "sub_label": self.sub_label,
                "data": {"box": box, "score": self.score, "type": "object", **self.data}}  # fmt: skip

    def square(self) -> NDArray[np.uint8]:
        """The region that ``crop=1`` gives: a square around the box, a multiple of 4, at least 300, in the frame."""
        height, width = self.frame.shape[:2]
        x1, y1, x2, y2 = self.box
        size = max(300, int(max(x2 - x1, y2 - y1) * 1.1) // 4 * 4)
        left = min(max(0, int((x2 - x1) / 2 + x1 - size / 2)), max(0, width - size))
        top = min(max(0, int((y2 - y1) / 2 + y1 - size / 2)), max(0, height - size))
        return self.frame[top : top + size, left : left + size]


class StandIn:
    """Serves until :meth:`stop`; :meth:`start` serves again on the same port.

    Attributes:
        people: by id.
        requests: (method, path without query) in order.
        failing: answers 503 to everything.
        classes: names that a custom classifier knows; empty: there is none.
        ignores_crop: sends whole frames of people who have left, as older versions do.
        login: user and password; None: the internal port.
    """

    def __init__(self, *, login: tuple[str, str] | None = None, frame: tuple[int, int] = (1280, 720)) -> None:
        self.people: dict[str, Tracked] = {}
        self.requests: list[tuple[str, str]] = []
        self.failing = self.ignores_crop = False
        self.classes: set[str] = set()
        self.login, self.frame = login, frame
        self.tokens: set[str] = set()
        self._port = 0
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        stand_in = self

        class Handler(_Handler):
            frigate = stand_in

        self._server = ThreadingHTTPServer(("127.0.0.1", self._port), Handler)
        self._server.daemon_threads = True
        self._port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def count(self, method: str, end: str) -> int:
        return sum(one == method and path.endswith(end) for one, path in self.requests)


class _Handler(BaseHTTPRequestHandler):
    frigate: StandIn
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        pass

    def _answer(self, status: int, body: Any, kind: str = "application/json", **headers: str) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(data)

    def _refused(self, path: str) -> bool:
        self.frigate.requests.append((self.command, path))
        if self.frigate.failing:
            self._answer(503, {"success": False, "message": "starting"})
            return True
        token = self.headers.get("Cookie", "").removeprefix("frigate_token=")
        if self.frigate.login is not None and path != "/api/login" and token not in self.frigate.tokens:
            self._answer(401, {"message": "No authorization headers."})
            return True
        return False

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        if self._refused(parts.path):
            return
        frigate, names = self.frigate, parts.path.strip("/").split("/")
        if parts.path == "/api/version":
            self._answer(200, b"0.18.0-stand-in", "text/plain")
        elif parts.path == "/api/config":
            detect = {"width": frigate.frame[0], "height": frigate.frame[1]}
            cameras = {one.camera for one in frigate.people.values()} | {"gate"}
            self._answer(200, {"cameras": {name: {"detect": detect} for name in cameras}})
        elif parts.path == "/api/events":
            rows = [one.listed() for one in frigate.people.values() if one.row
                    and (one.end is None or "in_progress" not in query)
                    and one.start > float(query.get("after", 0))]  # fmt: skip
            self._answer(200, sorted(rows, key=lambda row: -row["start_time"])[: int(query.get("limit", 100))])
        elif names[:2] == ["api", "events"] and len(names) >= 3 and names[2] in frigate.people:
            one = frigate.people[names[2]]
            if len(names) == 3 and one.row:
                self._answer(200, one.listed())
            elif names[3:] == ["snapshot.jpg"] and one.picture:
                whole = query.get("crop") != "1" or (one.end is not None and frigate.ignores_crop)
                file = io.BytesIO()
                Image.fromarray(one.frame if whole else one.square()).save(file, "JPEG", quality=int(query["quality"]))
                self._answer(200, file.getvalue(), "image/jpeg", X_Frame_Time=str(one.time))
            else:
                self._answer(404, {"success": False, "message": "Live frame not available"})
        else:
            self._answer(404, {"success": False, "message": "Event not found"})

    def do_POST(self) -> None:
        path = urlsplit(self.path).path
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")
        if self._refused(path):
            return
        frigate, names = self.frigate, path.strip("/").split("/")
        if path == "/api/login":
            if (body.get("user"), body.get("password")) != frigate.login:
                self._answer(401, {"message": "Login failed"})
                return
            token = f"token{len(frigate.requests)}"
            frigate.tokens.add(token)
            self._answer(200, {}, Set_Cookie=f"frigate_token={token}; HttpOnly; Path=/")
            return
        one = frigate.people.get(names[2]) if len(names) == 4 else None
        if one is None or (not one.row and (names[3] != "sub_label" or one.end is not None)):
            self._answer(404, {"success": False, "message": f"Event {names[2:3]} not found"})
        elif names[3] == "description" and isinstance(body.get("description"), str):
            one.data["description"] = body["description"]
            self._answer(200, {"success": True})
        elif names[3] == "sub_label" and len(body["subLabel"]) <= 100 and 0 < body["subLabelScore"] <= 1:
            one.sub_label = [body["subLabel"], body["subLabelScore"]]
            self._answer(200, {"success": True})
        elif names[3] == "attributes" and isinstance(body.get("attributes"), list):
            one.data["attributes"] = sorted(frigate.classes & set(body["attributes"]))
            found = bool(frigate.classes)
            self._answer(200 if found else 400, {"success": found, "message": "No matching attributes found"})
        else:
            self._answer(422, {"detail": "Unprocessable"})
