"""The official clients of OpenAI and Ollama, unchanged but for the base URL, against a running server."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import BaseModel, ConfigDict, Field
from serving import SAID, Running, StandIn, free_port, jpeg

from personvlm.runtime.describer import Describer, shipped
from personvlm.schema import Attribute, PersonDescription, json_schema
from personvlm.server.settings import ServerSettings

openai = pytest.importorskip("openai")
ollama = pytest.importorskip("ollama")

Serve = Callable[..., Any]


def data_uri(data: bytes) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(data).decode()


def message(*pictures: bytes, prompt: str = "Describe the person.") -> list[dict[str, Any]]:
    parts: list[dict[str, Any]] = [{"type": "text", "text": prompt}]
    parts += [{"type": "image_url", "image_url": {"url": data_uri(each), "detail": "low"}} for each in pictures]
    return [{"role": "user", "content": parts}]


@pytest.fixture
def client(serve: Serve) -> Any:
    return openai.OpenAI(base_url=f"{serve().url}/v1", api_key="none", max_retries=0)


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    if not shipped().is_dir():
        pytest.skip("this checkout has no shipped weights")
    with Running(ServerSettings(port=free_port()), [Describer.load(threads=1)]) as server:
        yield server


@pytest.fixture(scope="module")
def people() -> list[bytes]:
    """One rendered person, twice, and another."""
    import io

    from PIL import Image

    from personvlm.data.rendered import rendered_samples

    encoded = []
    for image, _ in rendered_samples(2, seed=4):
        stream = io.BytesIO()
        Image.fromarray(image).save(stream, "JPEG", quality=90)
        encoded.append(stream.getvalue())
    return encoded


# ---- the real model


def test_openai_describes_a_crop(real: Running, people: list[bytes]) -> None:
    client = openai.OpenAI(base_url=f"{real.url}/v1", api_key="none", max_retries=0)
    name = client.models.list().data[0].id
    answer = client.chat.completions.create(model=name, messages=message(people[0]), timeout=60)
    expected = Describer.load(threads=1).describe(people[0])[0].text
    assert answer.choices[0].message.content == expected
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.prompt_tokens == 36  # 32 of the picture, and "Describe the person."
    assert answer.usage.completion_tokens > 5
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


def test_openai_gives_our_structured_output(real: Running, people: list[bytes]) -> None:
    client = openai.OpenAI(base_url=f"{real.url}/v1", api_key="none", max_retries=0)
    parsed = client.chat.completions.parse(model="personvlm", messages=message(people[0]),
                                           response_format=PersonDescription).choices[0].message.parsed  # fmt: skip
    expected = Describer.load(threads=1).describe(people[0])[0]
    assert isinstance(parsed, PersonDescription)
    assert parsed.text == expected.text
    assert {name: item.value for name, item in parsed.attributes.items()} == {
        name: item.value for name, item in expected.attributes.items()}  # fmt: skip


def test_several_pictures_are_one_person(real: Running, people: list[bytes]) -> None:
    client = openai.OpenAI(base_url=f"{real.url}/v1", api_key="none", max_retries=0)
    schema = {"type": "json_schema", "json_schema": {"name": "person", "strict": True, "schema": json_schema()}}
    ask = {"model": "personvlm", "response_format": schema}
    fused = json.loads(client.chat.completions.create(messages=message(*people), **ask).choices[0].message.content)
    assert {item["source"] for item in fused["attributes"].values()} == {"fused"}
    alone = json.loads(client.chat.completions.create(messages=message(people[0]), **ask).choices[0].message.content)
    assert {item["source"] for item in alone["attributes"].values()} == {"head"}
    PersonDescription.model_validate(fused)


def test_ollama_describes_a_crop(real: Running, people: list[bytes], tmp_path: Path) -> None:
    client = ollama.Client(host=real.url)
    expected = Describer.load(threads=1).describe(people[0])[0].text
    said = client.chat(model="personvlm", messages=[{"role": "user", "content": "Who?", "images": [people[0]]}])
    assert (said.message.content, said.done, said.done_reason) == (expected, True, "stop")
    path = tmp_path / "a.jpg"
    path.write_bytes(people[0])
    assert client.generate(model="personvlm:latest", prompt="Who?", images=[str(path)]).response == expected
    schema = PersonDescription.model_json_schema()
    form = client.generate(model="personvlm", prompt="", images=[people[0]], format=schema)
    assert PersonDescription.model_validate_json(form.response).text == expected


# ---- everything around it


def test_openai_streams(client: Any) -> None:
    stream = client.chat.completions.create(model="personvlm", messages=message(jpeg()), stream=True,
                                            stream_options={"include_usage": True})  # fmt: skip
    chunks = list(stream)
    assert "".join(each.choices[0].delta.content or "" for each in chunks if each.choices) == SAID.text
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [each.choices[0].finish_reason for each in chunks if each.choices][-1] == "stop"
    assert chunks[-1].usage.completion_tokens == 13
    assert sum(each.usage is not None for each in chunks) == 1
    assert len({each.id for each in chunks}) == 1


def test_openai_streams_without_usage(client: Any) -> None:
    chunks = list(client.chat.completions.create(model="personvlm", messages=message(jpeg()), stream=True))
    assert all(each.choices for each in chunks)


def test_openai_cuts_at_the_limit(client: Any) -> None:
    answer = client.chat.completions.create(model="personvlm", messages=message(jpeg()), max_tokens=4)
    assert (answer.choices[0].message.content, answer.choices[0].finish_reason) == ("The image shows a", "length")
    assert answer.usage.completion_tokens == 4


def test_openai_takes_pictures_from_the_last_message_that_has_some(client: Any, stand_in: StandIn) -> None:
    history = [{"role": "system", "content": "Be brief."}, *message(jpeg()), {"role": "assistant", "content": "A man."},
               {"role": "user", "content": "And his shoes?"}]  # fmt: skip
    answer = client.chat.completions.create(model="personvlm", messages=history, temperature=0.2, seed=3, top_p=0.5)
    assert answer.choices[0].message.content == SAID.text
    assert len(stand_in.asked) == 1


class Garment(BaseModel):
    model_config = ConfigDict(populate_by_name=True)
    upper: Attribute = Field(alias="upper.garment")
    lower: Attribute = Field(alias="lower.garment")


class Part(BaseModel):
    text: str
    attributes: Garment


def test_openai_gives_a_part_of_our_schema(client: Any) -> None:
    form = {"type": "json_schema", "json_schema": {"name": "part", "strict": True, "schema": Part.model_json_schema()}}
    answer = client.chat.completions.create(model="personvlm", messages=message(jpeg()), response_format=form)
    found = Part.model_validate_json(answer.choices[0].message.content)
    assert (found.text, found.attributes.upper.value) == (SAID.text, "coat")
    assert (found.attributes.lower.value, found.attributes.lower.confidence) == ("unknown", 0.0)
    assert set(json.loads(answer.choices[0].message.content)) == {"text", "attributes"}


def test_openai_json_object_is_our_schema(client: Any) -> None:
    answer = client.chat.completions.create(model="personvlm", messages=message(jpeg()),
                                            response_format={"type": "json_object"})  # fmt: skip
    assert PersonDescription.model_validate_json(answer.choices[0].message.content) == SAID


class Mood(BaseModel):
    mood: str


@pytest.mark.parametrize(("error", "code", "param", "change"), [
    ("BadRequestError", "unsupported_schema", "response_format", {"response_format": {
        "type": "json_schema", "json_schema": {"name": "mood", "schema": Mood.model_json_schema()}}}),
    ("BadRequestError", "invalid_request", "response_format", {"response_format": {"type": "json_schema"}}),
    ("BadRequestError", "no_picture", "messages", {"messages": [{"role": "user", "content": "Who?"}]}),
    ("BadRequestError", "bad_picture", "messages", {"messages": message(b"no picture")}),
    ("BadRequestError", "bad_picture", None, {"messages": message(jpeg()[:-200])}),
    ("BadRequestError", "unsupported_value", "n", {"n": 3}),
    ("BadRequestError", "invalid_request", "messages", {"messages": []}),
    ("BadRequestError", "too_many_pictures", "messages", {"messages": message(*[jpeg()] * 40)}),
    ("NotFoundError", "model_not_found", "model", {"model": "gpt-4o"}),
    ("PermissionDeniedError", "urls_not_allowed", "messages", {"messages": [{"role": "user", "content": [
        {"type": "image_url", "image_url": {"url": "https://example.org/a.jpg"}}]}]}),
])  # fmt: skip
def test_openai_errors(client: Any, error: str, code: str, param: str | None, change: dict[str, Any]) -> None:
    asked = {"model": "personvlm", "messages": message(jpeg()), **change}
    with pytest.raises(getattr(openai, error)) as caught:
        client.chat.completions.create(**asked)
    assert (caught.value.code, caught.value.param) == (code, param)
    assert caught.value.body["message"]


def test_openai_knows_about_a_full_queue(serve: Serve, stand_in: StandIn) -> None:
    import threading
    import time

    server = serve(waiting=1)
    client = openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0)
    stand_in.gate.clear()

    def ask() -> Any:
        return client.chat.completions.create(model="personvlm", messages=message(jpeg()))

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
        time.sleep(0.2)
    with pytest.raises(openai.RateLimitError) as caught:
        ask()
    assert caught.value.response.headers["retry-after"] == "1"
    stand_in.gate.set()
    for thread in threads:
        thread.join(20)


def test_openai_lists_models(serve: Serve) -> None:
    client = openai.OpenAI(base_url=f"{serve(aliases=('gpt-4o-mini',)).url}/v1", api_key="none")
    assert [each.id for each in client.models.list()] == ["personvlm", "stand-in-1", "gpt-4o-mini"]
    assert client.models.retrieve("gpt-4o-mini").id == "gpt-4o-mini"
    answer = client.chat.completions.create(model="gpt-4o-mini", messages=message(jpeg()))
    assert (answer.model, answer.choices[0].message.content) == ("gpt-4o-mini", SAID.text)


def test_nothing_certain_is_not_an_empty_answer(serve: Serve, stand_in: StandIn) -> None:
    silent = SAID.model_copy(update={"text": "", "attributes": {}})
    stand_in.describe_images = lambda images, **_: [silent] * len(images)  # type: ignore[method-assign]
    client = openai.OpenAI(base_url=f"{serve().url}/v1", api_key="none")
    answer = client.chat.completions.create(model="personvlm", messages=message(jpeg()))
    assert answer.choices[0].message.content.startswith("The image shows a person;")


def test_openai_with_a_token(serve: Serve, tmp_path: Path) -> None:
    from personvlm.server.tokens import TokenFile, create

    file = TokenFile(tmp_path / "tokens.json")
    good, kept = create("frigate", ["ingest"])
    file.save(kept)
    other, kept = create("viewer", ["read"])
    file.save(kept)
    url = f"{serve(token_file=tmp_path / 'tokens.json').url}/v1"
    asked = {"model": "personvlm", "messages": message(jpeg())}
    assert openai.OpenAI(base_url=url, api_key=good).chat.completions.create(**asked).choices[0].message.content
    with pytest.raises(openai.AuthenticationError) as caught:
        openai.OpenAI(base_url=url, api_key="pv_wrong").chat.completions.create(**asked)
    assert caught.value.type == "authentication_error"
    with pytest.raises(openai.PermissionDeniedError):
        openai.OpenAI(base_url=url, api_key=other).chat.completions.create(**asked)


def test_ollama_routes(serve: Serve) -> None:
    server = serve()
    client = ollama.Client(host=server.url)
    assert [each.model for each in client.list().models] == ["personvlm", "stand-in-1"]
    assert client.show("personvlm").capabilities == ["completion", "vision"]
    assert httpx.get(f"{server.url}/api/version").json()["version"]
    asked = [{"role": "user", "content": "Who?", "images": [jpeg()]}]
    pieces = list(client.chat(model="personvlm", messages=asked, stream=True))
    assert "".join(each.message.content for each in pieces) == SAID.text
    assert pieces[-1].done
    assert (pieces[-1].prompt_eval_count, pieces[-1].eval_count) == (34, 13)
    words = [each.response for each in client.generate(model="personvlm", prompt="Who?", images=[jpeg()], stream=True)]
    assert "".join(words) == SAID.text
    short = client.generate(model="personvlm", prompt="", images=[jpeg()], options={"num_predict": 2})
    assert (short.response, short.done_reason) == ("The image", "length")
    assert client.generate(model="personvlm").done_reason == "load"
    assert client.chat(model="personvlm", messages=[]).done_reason == "load"
    found = client.chat(model="personvlm", messages=asked, format="json").message.content
    assert PersonDescription.model_validate_json(found) == SAID


@pytest.mark.parametrize(("status", "change"), [
    (404, {"model": "llava"}), (400, {"format": Mood.model_json_schema()}), (400, {"format": "xml"}),
    (400, {"messages": [{"role": "user", "content": "Who?"}]}),
    (400, {"messages": [{"role": "user", "content": "Who?", "images": [b"no picture"]}]}),
])  # fmt: skip
def test_ollama_errors(serve: Serve, status: int, change: dict[str, Any]) -> None:
    asked = {"model": "personvlm", "messages": [{"role": "user", "content": "", "images": [jpeg()]}], **change}
    body = json.loads(json.dumps(asked, default=lambda each: base64.b64encode(each).decode()))
    answer = httpx.post(f"{serve().url}/api/chat", json=body)
    assert answer.status_code == status
    assert list(answer.json()) == ["error"]
    assert answer.json()["error"]
