"""Goal: every client gets real answers, token by token, from a model that the server runs itself.
Method: each once, whole and streamed, for each name of a model, against one server with the smallest model;
skipped where its file or the engine is not there.
"""

import json
import pathlib
import unittest

import openai
from langchain_openai import ChatOpenAI

from client_case import CLIENTS, HERE, ClientCase, run

MODEL = "smollm2-135m-instruct"
NAMES = ("hybrid/auto", "hybrid/edge", "tiny")
QUESTION = "Name three fruits."
MESSAGES = [{"role": "user", "content": QUESTION}]
SHORT = {"max_tokens": 12}
CONFIG = f'[[endpoint]]\nname = "tiny"\ntier = "edge"\nengine = {{ model = "{MODEL}", slots = 2, context = 4096 }}\n'


def is_there():
    return run("models", "path", MODEL)[0] == 0 and "engine" in run("--help")[1]


@unittest.skipUnless(is_there(), f"{MODEL} or the engine is not there")
class Model(ClientCase):
    def command(self, *arguments, **options):
        # A model on a busy machine takes its time.
        return super().command(*arguments, **{"timeout": 240, **options})

    def setUp(self):
        super().setUp()
        self.serve(config=self.config(CONFIG))

    def for_each(self, check):
        for name in NAMES:
            for is_streamed in (False, True):
                with self.subTest(name, is_streamed=is_streamed):
                    texts = check(name, is_streamed)
                    self.assertTrue("".join(texts).strip())
                    self.assertEqual(len(texts) > 1, is_streamed, texts)

    def test_openai_for_python(self):
        def ask(name, is_streamed):
            answer = client.chat.completions.create(model=name, messages=MESSAGES, stream=is_streamed, **SHORT)
            if is_streamed:
                return [chunk.choices[0].delta.content for chunk in answer if chunk.choices[0].delta.content]
            self.assertGreater(answer.usage.completion_tokens, 0)
            return [answer.choices[0].message.content]

        with openai.OpenAI(base_url=self.url, api_key=self.key, max_retries=0) as client:
            self.for_each(ask)

    def test_openai_for_javascript(self):
        def ask(name, is_streamed):
            given = {"url": self.url, "request": {"model": name, "messages": MESSAGES, "stream": is_streamed, **SHORT}}
            code, out, err = self.command("node", HERE / "openai_js_ask.mjs", env={
                "GIVEN": json.dumps(given), "OPENAI_PACKAGE": str(CLIENTS / "node_modules" / "openai")})
            self.assertEqual(code, 0, err)
            return json.loads(out)

        self.for_each(ask)

    def test_langchain(self):
        def ask(name, is_streamed):
            client = ChatOpenAI(model=name, base_url=self.url, api_key=self.key, max_retries=0, **SHORT)
            if is_streamed:
                return [chunk.content for chunk in client.stream(QUESTION) if chunk.content]
            return [client.invoke(QUESTION).content]

        self.for_each(ask)

    def test_llm(self):
        folder = pathlib.Path(self.folder.name, "llm")
        folder.mkdir()
        models = [{"model_id": name, "model_name": name, "api_base": self.url} for name in NAMES]
        (folder / "extra-openai-models.yaml").write_text(json.dumps(models))
        for name in NAMES:
            code, out, err = self.command(CLIENTS / "bin" / "llm", "-m", name, "-o", "max_tokens", "12", QUESTION,
                                          env={"LLM_USER_PATH": str(folder)}, stdin="")
            self.assertEqual(code, 0, err)
            self.assertTrue(out.strip())

    def test_curl(self):
        def ask(name, is_streamed):
            body = {"model": name, "messages": MESSAGES, "stream": is_streamed, **SHORT}
            code, out, err = self.command("curl", "--silent", "--show-error", "--fail-with-body", "--json", json.dumps(body),
                                          self.url + "/chat/completions")
            self.assertEqual(code, 0, out + err)
            if not is_streamed:
                return [json.loads(out)["choices"][0]["message"]["content"]]
            *chunks, done, _ = out.split("\n\n")
            self.assertEqual(done, "data: [DONE]")
            deltas = [json.loads(chunk[len("data: "):])["choices"][0]["delta"] for chunk in chunks]
            return [delta["content"] for delta in deltas if delta.get("content")]

        self.for_each(ask)

    def test_client_leaves_in_the_middle(self):
        with openai.OpenAI(base_url=self.url, api_key=self.key, max_retries=0) as client:
            for name in NAMES:
                with self.subTest(name):
                    raw = client.chat.completions.with_raw_response.create(model=name, messages=MESSAGES, stream=True, max_tokens=3000)
                    stream = raw.parse()
                    next(stream)
                    stream.close()
                    self.assertEqual(self.wait_for_end(raw.headers["x-hybridflow-run"])["outcome"], "cancelled")


if __name__ == "__main__":
    unittest.main()
