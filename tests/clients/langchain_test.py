"""Goal: programs that use LangChain's client for OpenAI run unchanged against the server.
Method: `langchain-openai`, pinned, against `hybridflow serve` with a scripted endpoint behind it, without keys
and with one.
"""

import asyncio
import functools
import unittest

import openai
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from pydantic import BaseModel

from client_case import MODELS, PATIENCE, QUESTION, ClientCase
from upstream import ANSWER, USAGE, VECTOR


class Fruits(BaseModel):
    """A count of fruits."""

    count: int
    kind: str


@tool
def weather(city: str) -> str:
    """The temperature in a city."""
    return f"21 in {city}"


def for_each_model(**endpoints):
    """A test that is called with a function that makes a chat model, for each model with a new server."""
    def decorate(test):
        @functools.wraps(test)
        def run_for_each(self):
            for model in MODELS:
                with self.subTest(model):
                    self.serve(**endpoints)
                    test(self, functools.partial(self.chat, model))
        return run_for_each
    return decorate


class LangChain(ClientCase):
    def chat(self, model, **options):
        return ChatOpenAI(**{"model": model, "base_url": self.url, "api_key": self.key, "max_retries": 0,
                             "timeout": PATIENCE, **options})

    @for_each_model()
    def test_whole(self, chat):
        answer = chat(include_response_headers=True).invoke([("system", "Count."), ("user", QUESTION)])
        self.assertEqual(answer.content, ANSWER)
        self.assertGreaterEqual(answer.usage_metadata["total_tokens"], USAGE["total_tokens"])
        self.assertEqual(answer.response_metadata["finish_reason"], "stop")
        run_id = answer.response_metadata["headers"]["x-hybridflow-run"]
        self.assertEqual(self.wait_for_end(run_id)["outcome"], "answered")

    @for_each_model()
    def test_streamed_with_progress(self, chat):
        client = chat(stream_usage=True, extra_body={"hybridflow": {"progress": True}})
        chunks = list(client.stream(QUESTION))
        self.assertEqual("".join(chunk.content for chunk in chunks), ANSWER)
        whole = functools.reduce(lambda one, other: one + other, chunks)
        self.assertGreaterEqual(whole.usage_metadata["total_tokens"], USAGE["total_tokens"])

    @for_each_model()
    def test_asynchronous(self, chat):
        async def ask():
            client = chat()
            answers = await client.abatch([QUESTION] * 8)
            streamed = [chunk.content async for chunk in client.astream(QUESTION)]
            return [*(answer.content for answer in answers), "".join(streamed)]

        self.assertEqual(set(asyncio.run(ask())), {ANSWER})

    @for_each_model(edge="tools", cloud="tools")
    def test_tools(self, chat):
        client = chat().bind_tools([weather])
        for ask in (client.invoke, lambda messages: functools.reduce(lambda one, other: one + other, client.stream(messages))):
            messages = [("user", QUESTION)]
            answer = ask(messages)
            call, = answer.tool_calls
            self.assertEqual((call["name"], call["args"]), ("weather", {"city": "Lyon"}))
            self.assertEqual(ask([*messages, answer, weather.invoke(call)]).content, "It is 21 in Lyon")

    @for_each_model(edge="json", cloud="json")
    def test_structured_output(self, chat):
        client = chat().with_structured_output(Fruits, method="json_schema")
        self.assertEqual(client.invoke(QUESTION), Fruits(count=7, kind="fruits"))

    def test_embeddings(self):
        self.serve(edge="embed")
        # Not cut by a tokenizer, which would have to be downloaded.
        client = OpenAIEmbeddings(model="edge", base_url=self.url, api_key=self.key, check_embedding_ctx_length=False)
        self.assertEqual(client.embed_documents(["one", "two"]), [VECTOR, VECTOR])

    @for_each_model(edge="server-error", cloud="server-error")
    def test_errors(self, chat):
        with self.assertRaises(openai.BadRequestError):
            chat(max_tokens=-1).invoke(QUESTION)
        with self.assertRaises(openai.NotFoundError):
            self.chat("gpt-9").invoke(QUESTION)
        with self.assertRaises(openai.InternalServerError):
            chat().invoke(QUESTION)

    @for_each_model(edge="stall-until-left", cloud="stall-until-left")
    def test_client_leaves_in_the_middle(self, chat):
        stream = chat(extra_body={"hybridflow": {"plan": "never"}}).stream(QUESTION)
        self.assertEqual(next(stream).content, "half")
        stream.close()
        _, _, runs = self.ask("GET", "/v1/runs?limit=1")
        self.check_cancelled(runs["data"][0]["id"])


class LangChainWithKey(LangChain):
    has_keys = True

    def test_wrong_key(self):
        self.serve()
        with self.assertRaises(openai.AuthenticationError):
            self.chat("edge", api_key="hf-nothing").invoke(QUESTION)


if __name__ == "__main__":
    unittest.main()
