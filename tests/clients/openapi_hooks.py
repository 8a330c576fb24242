"""Makes requests of schemathesis reach further: it knows no names of models, nor that the user has the last word."""

import os

import schemathesis

CHAT_MODELS = os.environ["CHAT_MODELS"].split()
EMBEDDING_MODELS = os.environ["EMBEDDING_MODELS"].split()


@schemathesis.hook
def map_body(context, body):
    if not isinstance(body, dict) or not isinstance(body.get("model"), str):
        return body
    models = EMBEDDING_MODELS if context.operation.path.endswith("/embeddings") else CHAT_MODELS
    body["model"] = models[len(body["model"]) % len(models)]
    if isinstance(body.get("messages"), list) and body["messages"]:
        body["messages"].append({"role": "user", "content": "How many?"})
    extension = body.get("hybridflow")
    # A deadline that passes is a 504, which no test by chance may depend on.
    if isinstance(extension, dict) and isinstance(extension.get("deadline_ms"), int) and extension["deadline_ms"] > 0:
        extension["deadline_ms"] = max(extension["deadline_ms"], 60_000)
    return body
