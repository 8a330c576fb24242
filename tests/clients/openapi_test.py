"""Goal: the server is as its description, GET /openapi.json, says, whatever it is sent.
Method: schemathesis makes requests from the description, right and wrong ones, always the same by a fixed seed,
and goes by what the answers tell (ids of runs); no answer may be a fault of the server, or have a status, type or
form that is not described, and no request that is described as wrong may be taken.
"""

import unittest

from client_case import CLIENTS, HERE, PATIENCE, ClientCase

ENVIRONMENT = {"PYTHONPATH": str(HERE), "SCHEMATHESIS_HOOKS": "openapi_hooks", "EMBEDDING_MODELS": "edge cloud",
               "CHAT_MODELS": "hybrid/auto hybrid/edge hybrid/cloud edge cloud nothing"}


class Description(ClientCase):
    def check_description(self, *headers):
        self.serve(cloud="embed")
        where = self.url.removesuffix("/v1") + "/openapi.json"
        code, out, err = self.command(CLIENTS / "bin" / "schemathesis", "--config-file", HERE / "schemathesis.toml", "run", where,
                                      *headers, env=ENVIRONMENT, timeout=4 * PATIENCE, folder=self.folder.name)
        self.assertEqual(code, 0, out + err)
        self.assertEqual(self.server.end()[0], 0)

    def test_server_is_as_described(self):
        self.check_description()
        self.assertGreater(len(self.stub.requests), 50, "hardly any request has reached the endpoint")


class DescriptionWithKey(Description):
    has_keys = True

    def test_server_is_as_described(self):
        self.check_description("--header", f"Authorization: Bearer {self.key}", "--phases", "coverage,stateful")

    def test_nobody_gets_in_without_a_key(self):
        self.serve()
        _, _, description = self.server.ask("GET", "/openapi.json")
        is_open = lambda operation: operation.get("security") == [{}]
        for path, item in description["paths"].items():
            for method in {"get", "post", "delete"} & item.keys():
                status, _, _ = self.server.ask(method.upper(), path.replace("{run}", "01ABC"), "{}")
                self.assertEqual(status == 401, not is_open(item[method]), (method, path))


if __name__ == "__main__":
    unittest.main()
