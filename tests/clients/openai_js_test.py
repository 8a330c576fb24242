"""Goal: programs that use the `openai` package for JavaScript run unchanged against the server.
Method: openai_js.mjs, once without keys and once with one, against servers that differ in what the endpoint
behind them does.
"""

import json
import unittest

from client_case import CLIENTS, HERE, MODELS, QUESTION, ClientCase
from upstream import ANSWER, FRUITS, USAGE, VECTOR, WEATHER

ENDPOINTS = ("ok", "tools", "json", "embed", "refusal", "silent", "server-error", "stall-until-left")


class JavaScript(ClientCase):
    def test_openai_package(self):
        servers = {}
        for endpoint in ENDPOINTS:
            self.serve(edge=endpoint, cloud=endpoint)
            servers[endpoint] = self.url
        given = {"servers": servers, "key": self.key, "has_keys": self.has_keys, "models": MODELS, "question": QUESTION,
                 "answer": ANSWER, "fruits": FRUITS, "tokens": USAGE["total_tokens"], "vector": VECTOR, "weather": WEATHER}
        code, out, err = self.command("node", HERE / "openai_js.mjs",
                                      env={"GIVEN": json.dumps(given), "OPENAI_PACKAGE": str(CLIENTS / "node_modules" / "openai")})
        self.assertEqual(code, 0, out + err)


class JavaScriptWithKey(JavaScript):
    has_keys = True


if __name__ == "__main__":
    unittest.main()
