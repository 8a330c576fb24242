"""Goal: the `llm` command works with the server as with any OpenAI-compatible one.
Method: that command, pinned, its models in its own configuration file, against `hybridflow serve` with a
scripted endpoint behind it.
"""

import json
import os
import pathlib
import signal
import subprocess
import unittest

from client_case import CLIENTS, MODELS, PATIENCE, QUESTION, ClientCase, clean_environment
from upstream import ANSWER, FRUITS

LLM = CLIENTS / "bin" / "llm"
TOOL = "def weather(city: str) -> str:\n    return '21 in ' + city\n"


class Llm(ClientCase):
    has_keys = True

    def serve(self, *arguments, **endpoints):
        super().serve(*arguments, **endpoints)
        folder = pathlib.Path(self.folder.name, "llm")
        folder.mkdir(exist_ok=True)
        # JSON is YAML, too.
        models = [{"model_id": model, "model_name": model, "api_base": self.url, "api_key_name": "hybridflow",
                   "supports_tools": True, "supports_schema": True} for model in (*MODELS, "nothing")]
        (folder / "extra-openai-models.yaml").write_text(json.dumps(models))
        (folder / "keys.json").write_text(json.dumps({"hybridflow": self.key}))
        self.env = {"LLM_USER_PATH": str(folder)}

    def llm(self, *arguments):
        return self.command(LLM, *arguments, env=self.env, stdin="")

    def test_answers(self):
        self.serve()
        for model in MODELS:
            for more in ([], ["--no-stream"]):
                with self.subTest(model, more=more):
                    code, out, err = self.llm("-m", model, "--usage", *more, QUESTION)
                    self.assertEqual((code, out), (0, ANSWER + "\n"), err)
                    self.assertRegex(err, r"Token usage: [\d,]+ input, [\d,]+ output")

    def test_conversation(self):
        self.serve()
        for arguments in (["-m", "hybrid/edge", QUESTION], ["--continue", "-m", "hybrid/edge", "And how many pears?"]):
            code, out, err = self.llm(*arguments)
            self.assertEqual((code, out), (0, ANSWER + "\n"), err)
        self.assertEqual([m["role"] for m in self.stub.requests[-1]["messages"]],
                         ["user", "assistant", "user"])

    def test_tools(self):
        self.serve(edge="tools", cloud="tools")
        for model in MODELS:
            with self.subTest(model):
                code, out, err = self.llm("-m", model, "--functions", TOOL, QUESTION)
                self.assertEqual((code, out), (0, "It is 21 in Lyon\n"), err)

    def test_schema(self):
        self.serve(edge="json", cloud="json")
        for model in MODELS:
            with self.subTest(model):
                code, out, err = self.llm("-m", model, "--schema", "count int, kind", QUESTION)
                self.assertEqual((code, json.loads(out)), (0, json.loads(FRUITS)), err)

    def test_errors(self):
        self.serve()
        code, _, err = self.llm("-m", "nothing", QUESTION)
        self.assertEqual(code, 1)
        self.assertIn("There is no model 'nothing'", err)
        code, _, err = self.llm("-m", "edge", "--key", "hf-nothing", QUESTION)
        self.assertEqual(code, 1)
        self.assertIn("The key is not known", err)

    def test_interrupted_in_the_middle(self):
        self.serve(edge="stall-until-left", cloud="stall-until-left")
        with subprocess.Popen([LLM, "-m", "hybrid/edge", QUESTION], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, env=clean_environment(**self.env)) as client:
            self.assertEqual(os.read(client.stdout.fileno(), 4), b"half")
            client.send_signal(signal.SIGINT)
            self.assertNotEqual(client.wait(PATIENCE), 0)
        _, _, runs = self.ask("GET", "/v1/runs?limit=1")
        self.check_cancelled(runs["data"][0]["id"])


if __name__ == "__main__":
    unittest.main()
