"""Goal: programs that use the `openai` package for Python run unchanged against the server.
Method: that package, pinned, against `hybridflow serve` with a scripted endpoint behind it; every test is
run without keys and again with one.
"""

import asyncio
import functools
import unittest

import httpx
import openai
from pydantic import BaseModel

from client_case import MODELS, PASSED_ON, PATIENCE, QUESTION, ClientCase
from upstream import ANSWER, USAGE, VECTOR, WEATHER

MESSAGES = [{"role": "user", "content": QUESTION}]
TOOLS = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {
    "city": {"type": "string"}}}}}]


class Fruits(BaseModel):
    count: int
    kind: str


def for_each_model(**endpoints):
    """A test that is called with chat completions and a model, for each model with a new server."""
    def decorate(test):
        @functools.wraps(test)
        def run_for_each(self):
            for model in MODELS:
                with self.subTest(model):
                    self.serve(**endpoints)
                    with self.client() as client:
                        test(self, client.chat.completions, model)
        return run_for_each
    return decorate


class WithClient(ClientCase):
    def client(self, **options):
        return openai.OpenAI(**self.options(options))

    def options(self, more):
        return {"base_url": self.url, "api_key": self.key, "max_retries": 0, "timeout": PATIENCE, **more}

    def expect(self, error, status, code, call):
        with self.assertRaises(error) as raised:
            call()
        self.assertEqual((raised.exception.status_code, raised.exception.code), (status, code))
        self.assertTrue(raised.exception.body["message"])
        return raised.exception


class Answers(WithClient):
    @for_each_model()
    def test_whole(self, chat, model):
        answer = chat.create(model=model, messages=MESSAGES)
        self.assertEqual(answer.choices[0].message.content, ANSWER)
        self.assertEqual(answer.choices[0].finish_reason, "stop")
        self.assertGreaterEqual(answer.usage.total_tokens, USAGE["total_tokens"])
        self.assertEqual(answer.usage.total_tokens, answer.usage.prompt_tokens + answer.usage.completion_tokens)

    @for_each_model()
    def test_streamed(self, chat, model):
        chunks = list(chat.create(model=model, messages=MESSAGES, stream=True))
        self.assertEqual("".join(c.choices[0].delta.content or "" for c in chunks), ANSWER)
        self.assertEqual(chunks[-1].choices[0].finish_reason, "stop")
        self.assertTrue(all(c.usage is None for c in chunks))
        self.assertEqual(len({c.id for c in chunks}), 1)

    @for_each_model()
    def test_usage_at_the_end_of_a_stream(self, chat, model):
        *_, last = chat.create(model=model, messages=MESSAGES, stream=True, stream_options={"include_usage": True})
        self.assertEqual(last.choices, [])
        self.assertGreaterEqual(last.usage.total_tokens, USAGE["total_tokens"])

    @for_each_model()
    def test_progress_is_ignored(self, chat, model):
        extra = {"hybridflow": {"progress": True, **({"plan": "always"} if model == "hybrid/auto" else {})}}
        chunks = list(chat.create(model=model, messages=MESSAGES, stream=True, extra_body=extra))
        self.assertEqual("".join(c.choices[0].delta.content or "" for c in chunks), ANSWER)
        self.assertEqual(chunks[-1].choices[0].finish_reason, "stop")

    @for_each_model()
    def test_helper_for_streams(self, chat, model):
        with chat.stream(model=model, messages=MESSAGES) as stream:
            text = "".join(event.delta for event in stream if event.type == "content.delta")
            self.assertEqual(text, ANSWER)
            self.assertEqual(stream.get_final_completion().choices[0].message.content, ANSWER)

    @for_each_model(edge="tools", cloud="tools")
    def test_tools(self, chat, model):
        answer = chat.create(model=model, messages=MESSAGES, tools=TOOLS, tool_choice="auto")
        call = answer.choices[0].message.tool_calls[0]
        self.assertEqual(answer.choices[0].finish_reason, "tool_calls")
        self.assertEqual(call.function.model_dump(), WEATHER)
        messages = [*MESSAGES, answer.choices[0].message, {"role": "tool", "tool_call_id": call.id, "content": "21"}]
        answer = chat.create(model=model, messages=messages, tools=TOOLS)
        self.assertEqual(answer.choices[0].message.content, "It is 21")
        self.assertEqual(self.stub.asked("tools")[0]["tools"], TOOLS)

    @for_each_model(edge="tools", cloud="tools")
    def test_tools_streamed(self, chat, model):
        chunks = list(chat.create(model=model, messages=MESSAGES, tools=TOOLS, stream=True))
        calls = [call for c in chunks for call in (c.choices[0].delta.tool_calls or [])]
        self.assertEqual((calls[0].id, calls[0].function.name), ("call_1", WEATHER["name"]))
        self.assertEqual("".join(c.function.arguments for c in calls), WEATHER["arguments"])
        self.assertEqual(chunks[-1].choices[0].finish_reason, "tool_calls")

    @for_each_model(edge="json", cloud="json")
    def test_structured_output(self, chat, model):
        answer = chat.parse(model=model, messages=MESSAGES, response_format=Fruits)
        self.assertEqual(answer.choices[0].message.parsed, Fruits(count=7, kind="fruits"))
        with chat.stream(model=model, messages=MESSAGES, response_format=Fruits) as stream:
            self.assertEqual(stream.get_final_completion().choices[0].message.parsed, Fruits(count=7, kind="fruits"))
        asked = self.stub.asked("json")[0]["response_format"]
        self.assertEqual((asked["type"], asked["json_schema"]["name"]), ("json_schema", "Fruits"))

    @for_each_model()
    def test_parts_of_text(self, chat, model):
        parts = [{"type": "text", "text": "How many "}, {"type": "text", "text": "fruits?"}]
        messages = [{"role": "developer", "content": "Count."}, {"role": "user", "content": parts}]
        answer = chat.create(model=model, messages=messages, max_completion_tokens=50, temperature=0.5, seed=3, stop=["#"])
        self.assertEqual(answer.choices[0].message.content, ANSWER)

    @for_each_model()
    def test_headers(self, chat, model):
        raw = chat.with_raw_response.create(model=model, messages=MESSAGES)
        run_id = raw.headers["x-hybridflow-run"]
        self.assertEqual(raw.headers["x-hybridflow-outcome"], "answered")
        self.assertEqual(raw.parse().choices[0].message.content, ANSWER)
        self.assertEqual(self.wait_for_end(run_id)["outcome"], "answered")
        raw = chat.with_raw_response.create(model=model, messages=MESSAGES, stream=True)
        self.assertEqual(raw.parse().__class__, openai.Stream)
        self.assertNotEqual(raw.headers["x-hybridflow-run"], run_id)
        list(raw.parse())

    def test_extension_in_the_answer(self):
        self.serve()
        with self.client() as client:
            answer = client.chat.completions.create(model="hybrid/auto", messages=MESSAGES,
                                                    extra_body={"hybridflow": {"plan": "always", "budget": {"usd": 0.01}}})
        self.assertTrue(answer.hybridflow["planned"])
        self.assertLessEqual(answer.hybridflow["usd"], 0.01)

    def test_models(self):
        self.serve()
        with self.client() as client:
            models = list(client.models.list())
            self.assertEqual([m.id for m in models], ["hybrid/auto", "hybrid/edge", "hybrid/cloud", "edge", "cloud"])
            self.assertEqual([client.models.retrieve(m.id) for m in models], models)
            self.expect(openai.NotFoundError, 404, "model_not_found", lambda: client.models.retrieve("gpt-9"))

    def test_embeddings(self):
        self.serve(edge="embed")
        with self.client() as client:
            for form in ({}, {"encoding_format": "float"}):
                answer = client.embeddings.create(model="edge", input=["one", "two"], **form)
                self.assertEqual([e.embedding for e in answer.data], [VECTOR, VECTOR])
                self.assertEqual(answer.usage.prompt_tokens, 3)
            self.expect(openai.BadRequestError, 400, "invalid_value",
                        lambda: client.embeddings.create(model="hybrid/auto", input="one"))

    @for_each_model()
    def test_idempotency_key(self, chat, model):
        for is_streamed in (False, True):
            before = len(self.stub.requests)
            ask = lambda **more: chat.with_raw_response.create(
                model=model, messages=MESSAGES, stream=is_streamed,
                extra_headers={"Idempotency-Key": f"key-{model}-{is_streamed}"}, **more)
            texts = lambda raw: raw.http_response.read()
            first = ask()
            text = texts(first)
            asked = len(self.stub.requests)
            self.assertGreater(asked, before)
            again = ask()
            self.assertEqual(again.headers["x-hybridflow-run"], first.headers["x-hybridflow-run"])
            self.assertEqual(texts(again), text)
            self.assertEqual(len(self.stub.requests), asked)
            self.expect(openai.UnprocessableEntityError, 422, "idempotency_key_reused", lambda: ask(seed=2))

    def test_asynchronous(self):
        async def ask_all():
            async with openai.AsyncOpenAI(**self.options({})) as client:
                async def whole(model):
                    answer = await client.chat.completions.create(model=model, messages=MESSAGES)
                    return answer.choices[0].message.content

                async def streamed(model):
                    stream = await client.chat.completions.create(model=model, messages=MESSAGES, stream=True)
                    return "".join([c.choices[0].delta.content or "" async for c in stream])

                return await asyncio.gather(*(ask(model) for model in MODELS for ask in (whole, streamed) for _ in range(8)))

        self.serve()
        self.assertEqual(set(asyncio.run(ask_all())), {ANSWER})


class Failures(WithClient):
    has_keys = True

    @for_each_model()
    def test_wrong_request(self, chat, model):
        wrong = lambda **more: lambda: chat.create(**{"model": model, "messages": MESSAGES, **more})
        error = self.expect(openai.BadRequestError, 400, "invalid_value", wrong(max_tokens=-1))
        self.assertEqual((error.param, error.type), ("max_tokens", "invalid_request_error"))
        self.expect(openai.BadRequestError, 400, "unsupported_parameter", wrong(n=2))
        self.expect(openai.BadRequestError, 400, "unknown_parameter", wrong(extra_body={"hybridflow": {"nothing": 1}}))
        self.assertEqual(self.stub.requests, [])

    def test_unknown_model(self):
        self.serve()
        with self.client() as client:
            error = self.expect(openai.NotFoundError, 404, "model_not_found",
                                lambda: client.chat.completions.create(model="gpt-9", messages=MESSAGES))
            self.assertEqual(error.param, "model")

    def test_no_money(self):
        self.serve()
        with self.client() as client:
            for model in ("hybrid/cloud", "cloud"):
                for is_streamed in (False, True):
                    extra = {"hybridflow": {"budget": {"usd": 0.000001}}}
                    error = self.expect(openai.APIStatusError, 402, "budget_exceeded",
                                        lambda: client.chat.completions.create(model=model, messages=MESSAGES,
                                                                               stream=is_streamed, extra_body=extra))
                    self.assertEqual(error.body["hybridflow"]["axis"], "usd")
        self.assertEqual(self.stub.requests, [])

    @for_each_model(edge="refusal", cloud="refusal")
    def test_endpoint_refuses(self, chat, model):
        if model in PASSED_ON:  # A pass-through shows what the endpoint says.
            with self.assertRaisesRegex(openai.BadRequestError, "the endpoint refuses this request"):
                chat.create(model=model, messages=MESSAGES)
        else:
            self.expect(openai.InternalServerError, 502, "upstream_failed",
                        lambda: chat.create(model=model, messages=MESSAGES))

    @for_each_model(edge="unauthorized", cloud="unauthorized")
    def test_endpoint_refuses_the_key(self, chat, model):
        ask = lambda: chat.create(model=model, messages=MESSAGES)
        self.expect(openai.InternalServerError, 502, "upstream_failed", ask)
        # It is not asked again at once.
        error = self.expect(openai.InternalServerError, 503, "no_endpoint", ask)
        self.assertGreater(int(error.response.headers["retry-after"]), 0)

    @for_each_model(edge="server-error", cloud="server-error")
    def test_endpoint_fails_before_a_stream(self, chat, model):
        self.expect(openai.InternalServerError, 502, "upstream_failed",
                    lambda: chat.create(model=model, messages=MESSAGES, stream=True))

    def test_endpoint_fails_in_the_middle(self):
        self.serve(edge="cut")
        with self.client() as client:
            stream = client.chat.completions.create(model="edge", messages=MESSAGES, stream=True)
            self.assertEqual(next(stream).choices[0].delta.content, "half an ans")
            with self.assertRaises(openai.APIError) as raised:
                list(stream)
            self.assertIn(raised.exception.code, ("answer_restarted", "upstream_failed"))

    @for_each_model(edge="silent", cloud="silent")
    def test_deadline(self, chat, model):
        self.expect(openai.InternalServerError, 504, "deadline_exceeded",
                    lambda: chat.create(model=model, messages=MESSAGES, extra_body={"hybridflow": {"deadline_ms": 100}}))

    @for_each_model(edge="silent", cloud="silent")
    def test_what_is_over_is_not_asked_again(self, chat, model):
        before = len(self.stub.requests)
        with self.client(max_retries=2) as patient:
            self.expect(openai.InternalServerError, 504, "deadline_exceeded",
                        lambda: patient.chat.completions.create(
                            model=model, messages=MESSAGES, extra_body={"hybridflow": {"deadline_ms": 100, "plan": "never"}}))
        self.assertEqual(len(self.stub.requests), before + 1)

    @for_each_model(edge="slow", cloud="slow")
    def test_client_comes_back_with_its_idempotency_key(self, chat, model):
        self.stub.released.clear()
        before = len(self.stub.requests)
        ask = lambda **more: chat.create(model=model, messages=MESSAGES, extra_headers={"Idempotency-Key": model},
                                         extra_body={"hybridflow": {"plan": "never"}}, **more)
        self.assertRaises(openai.APITimeoutError, ask, timeout=0.3)
        self.stub.released.set()
        self.assertEqual(ask().choices[0].message.content, ANSWER)
        self.assertEqual(len(self.stub.requests), before + 1)

    @for_each_model(edge="stall-until-left", cloud="stall-until-left")
    def test_client_runs_out_of_time(self, chat, model):
        with self.assertRaises(openai.APITimeoutError):
            chat.create(model=model, messages=MESSAGES, timeout=0.3, extra_body={"hybridflow": {"plan": "never"}})
        _, _, runs = self.ask("GET", "/v1/runs?limit=1")
        self.check_cancelled(runs["data"][0]["id"])

    @for_each_model(edge="stall-until-left", cloud="stall-until-left")
    def test_client_leaves_in_the_middle(self, chat, model):
        raw = chat.with_raw_response.create(model=model, messages=MESSAGES, stream=True,
                                            extra_body={"hybridflow": {"plan": "never"}})
        stream = raw.parse()
        self.assertEqual(next(stream).choices[0].delta.content, "half")
        stream.close()
        self.check_cancelled(raw.headers["x-hybridflow-run"])

    def test_asynchronous_client_leaves_in_the_middle(self):
        async def leave():
            async with openai.AsyncOpenAI(**self.options({})) as client:
                raw = await client.chat.completions.with_raw_response.create(model="hybrid/edge", messages=MESSAGES, stream=True)
                stream = raw.parse()
                async for chunk in stream:
                    self.assertEqual(chunk.choices[0].delta.content, "half")
                    break
                await stream.close()
                return raw.headers["x-hybridflow-run"]

        self.serve(edge="stall-until-left", cloud="stall-until-left")
        self.check_cancelled(asyncio.run(leave()))


class AnswersWithKey(Answers):
    has_keys = True


class Keys(WithClient):
    has_keys = True

    def test_wrong_key(self):
        self.serve()
        with self.client(api_key="hf-nothing") as client:
            chat = lambda **more: lambda: client.chat.completions.create(model="edge", messages=MESSAGES, **more)
            for call in (chat(), chat(stream=True), client.models.list):
                self.expect(openai.AuthenticationError, 401, "invalid_api_key", call)

    def test_models_of_a_key(self):
        narrow = self.add_key("narrow", "--model", "hybrid/edge")
        self.serve()
        with self.client(api_key=narrow) as client:
            self.assertEqual([m.id for m in client.models.list()], ["hybrid/edge"])
            self.expect(openai.PermissionDeniedError, 403, "model_not_allowed",
                        lambda: client.chat.completions.create(model="edge", messages=MESSAGES))

    def test_budget_of_a_key(self):
        narrow = self.add_key("poor", "--usd", "0.0001", "--period", "day")
        self.serve()
        with self.client(api_key=narrow) as client:
            error = self.expect(openai.APIStatusError, 402, "budget_exceeded",
                                lambda: client.chat.completions.create(model="cloud", messages=MESSAGES))
            self.assertTrue(error.body["hybridflow"]["scope"].startswith("key:poor#"))
            self.assertGreater(int(error.response.headers["retry-after"]), 0)

    def test_too_much_at_once(self):
        one = self.add_key("one", "--in-flight", "1")
        self.serve(edge="stall-until-left")
        with self.client(api_key=one) as client:
            stream = client.chat.completions.create(model="edge", messages=MESSAGES, stream=True)
            next(stream)
            error = self.expect(openai.RateLimitError, 429, "too_many_in_flight",
                                lambda: client.chat.completions.create(model="cloud", messages=MESSAGES))
            self.assertEqual(error.response.headers["retry-after"], "1")
            # The package waits as it is told and asks again; by then there is a place.
            statuses = []

            def on_response(response):
                statuses.append(response.status_code)
                if len(statuses) == 1:
                    stream.close()

            hooked = httpx.Client(event_hooks={"response": [on_response]})
            with self.client(api_key=one, max_retries=3, http_client=hooked) as patient:
                answer = patient.chat.completions.create(model="cloud", messages=MESSAGES)
            self.assertEqual(answer.choices[0].message.content, ANSWER)
            self.assertEqual((statuses[0], statuses[-1]), (429, 200))

    def test_too_often(self):
        rare = self.add_key("rare", "--requests-per-minute", "2")
        self.serve()
        with self.client(api_key=rare) as client:
            ask = lambda: client.chat.completions.create(model="edge", messages=MESSAGES)
            ask()
            ask()
            error = self.expect(openai.RateLimitError, 429, "rate_limit_exceeded", ask)
            self.assertIn(int(error.response.headers["retry-after"]), range(1, 31))
        self.assertEqual(len(self.stub.requests), 2)

    def test_runs_of_others_are_not_there(self):
        other = self.add_key("other")
        self.serve()
        with self.client(api_key=other) as client:
            raw = client.chat.completions.with_raw_response.create(model="edge", messages=MESSAGES)
        run_id = raw.headers["x-hybridflow-run"]
        self.assertEqual(self.ask("GET", f"/v1/runs/{run_id}")[0], 404)
        self.key = other
        self.assertEqual(self.wait_for_end(run_id)["outcome"], "answered")


if __name__ == "__main__":
    unittest.main()
