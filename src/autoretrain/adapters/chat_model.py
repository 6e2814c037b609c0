"""Asks a chat model, by LangChain, for structured output within hard limits. None of its failures is an exception.

Whatever goes wrong outside is an `AdviceOutcome`. A model gets a question, and tools without arguments that return
JSON; it can do nothing but call these and answer. LangChain is an optional extra: it is imported here alone, at first
use.
"""

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar, cast

import httpx
import pydantic

from autoretrain.adapters.chat_limits import CALLS, TOOL_CALLS, NoAnswer, Used, bound_response, classify, run_within
from autoretrain.adapters.settings import Settings
from autoretrain.domain.advice import AdviceOutcome
from autoretrain.domain.errors import AutoRetrainError

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

PROVIDERS: Final = ("openai", "anthropic", "ollama")
"""Those that the extra brings; `openai` with a base URL is any server that speaks OpenAI's API."""

KEYS: Final = {"openai": "OPENAI_API_KEY", "anthropic": "ANTHROPIC_API_KEY"}
"""Where a provider's client looks for the key of the provider itself; a server on one's own machine needs none."""

LONGEST_COMPLAINT: Final = 200

_INSTALL: Final = "pip install 'autoretrain[agent]'"

T = TypeVar("T", bound=pydantic.BaseModel)


class AgentUnusable(AutoRetrainError):  # noqa: N818 - named for what it says
    """The agent can't be started as it is set up: a library or a setting is missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange(Generic[T]):
    """How a question ended: `said` is there with ANSWERED alone, else `detail` says what was seen, in our words.

    `cost` is in dollars, None where the prices are not known.
    """

    outcome: AdviceOutcome
    said: T | None = None
    detail: str = ""
    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost: float | None = None
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class ChatModel:
    """One chat model, `provider:name`. Making one raises AgentUnusable where it can't be asked at all."""

    name: str
    settings: Settings

    def __post_init__(self) -> None:
        provider, _, model = self.name.partition(":")
        if provider not in PROVIDERS or not model:
            known = ", ".join(f"{each}:NAME" for each in PROVIDERS)
            raise AgentUnusable(f"spec.agent.model is {self.name!r}; it can be {known}")
        try:
            self._open(None)
        except ImportError:
            raise AgentUnusable(f"the agent needs LangChain and langchain-{provider}: {_INSTALL}") from None
        except Exception as error:
            self._require_key(provider)
            # A client's own complaint, which each words and types in its own way.
            first_line = (str(error).splitlines() or [type(error).__name__])[0]
            raise AgentUnusable(f"{self.name} can't be asked: {first_line[:LONGEST_COMPLAINT]}") from None
        self._require_key(provider)

    def _require_key(self, provider: str) -> None:
        # Some clients complain of a missing one at once, each in its words, and others at the first call only.
        variable, settings = KEYS.get(provider), self.settings
        if variable is None or settings.agent_base_url or settings.agent_api_key.get_secret_value():
            return
        if not os.environ.get(variable):
            raise AgentUnusable(f"{self.name} can't be asked without a key: set {variable}")

    def ask(
        self, question: str, *, instructions: str, answer: type[T], tools: Mapping[str, Callable[[], str]]
    ) -> Exchange[T]:
        """Return what the model answers in the form of `answer`. `tools` are documented functions that return JSON."""
        used, started = Used(), time.monotonic()
        said: T | None = None
        outcome, detail = AdviceOutcome.ANSWERED, ""
        try:
            work = self._ask(question, instructions, answer, tools=tools, used=used)
            said = run_within(self.settings.agent_seconds, work)
        except Exception as error:
            outcome, detail = classify(error)
        return Exchange(
            outcome=outcome,
            said=said,
            detail=detail,
            calls=used.calls,
            input_tokens=used.input_tokens,
            output_tokens=used.output_tokens,
            cost=self._cost(used),
            seconds=time.monotonic() - started,
        )

    async def _ask(
        self, question: str, instructions: str, answer: type[T], *, tools: Mapping[str, Callable[[], str]], used: Used
    ) -> T:
        from langchain.agents import create_agent
        from langchain.agents.middleware import ModelCallLimitMiddleware, ToolCallLimitMiddleware
        from langchain.agents.structured_output import ToolStrategy
        from langchain_core.tools import StructuredTool
        from langsmith import tracing_context

        limits: list[Any] = [
            ModelCallLimitMiddleware(run_limit=CALLS, exit_behavior="error"),
            ToolCallLimitMiddleware(run_limit=TOOL_CALLS, exit_behavior="error"),
        ]
        # Figures go to the model that the document names and to nobody else, whatever the environment says of tracing.
        with tracing_context(enabled=False):
            async with self._client() as client:
                agent = create_agent(
                    self._open(client),
                    tools=[StructuredTool.from_function(each, name=name) for name, each in tools.items()],
                    system_prompt=instructions,
                    middleware=limits,
                    response_format=ToolStrategy(answer, handle_errors=False),
                )
                ended = await agent.ainvoke(
                    {"messages": [{"role": "user", "content": question}]},
                    {"callbacks": [_counting(used)], "recursion_limit": 10 * CALLS},
                )
        said = ended.get("structured_response")
        if not isinstance(said, answer):
            raise NoAnswer(refused=_is_refusal(ended["messages"][-1]))
        return said

    def _client(self) -> Any:
        """Return a client for one question: connections do not outlive its event loop."""
        if self.name.startswith("anthropic:"):
            from anthropic import DefaultAsyncHttpxClient  # of httpx, or of the copy that its release uses

            return DefaultAsyncHttpxClient(**self._client_options())
        return httpx.AsyncClient(**self._client_options())

    def _open(self, client: Any) -> "BaseChatModel":
        """Return LangChain's model. It answers through `client`, where its provider's library takes one."""
        from langchain.chat_models import init_chat_model

        settings, (provider, _, model) = self.settings, self.name.partition(":")
        options: dict[str, Any] = {"base_url": settings.agent_base_url} if settings.agent_base_url else {}
        # A key for the provider is not for whoever is at another address.
        key = settings.agent_api_key.get_secret_value() or ("none" if settings.agent_base_url else "")
        if provider == "ollama":
            client_options = self._client_options()
            client_options["headers"] |= {"Authorization": f"Bearer {key}"} if key else {}
            options |= {
                "num_predict": settings.agent_tokens_per_call,
                "async_client_kwargs": client_options,
            }
        else:
            options |= {
                "max_tokens": settings.agent_tokens_per_call,
                "timeout": settings.agent_seconds,
                "max_retries": 0,
            }
            options |= {"api_key": key} if key else {}
        if provider == "openai" and client is not None:
            options["http_async_client"] = client
        opened: Any = init_chat_model(model, model_provider=provider, **options)
        if provider == "anthropic" and client is not None:
            # LangChain's takes no client, and has one for the whole process: unbounded, and with connections of an
            # event loop that is gone by the next question.
            vars(opened)["_async_client"] = opened._async_client.copy(http_client=client)
        return cast("BaseChatModel", opened)

    def _client_options(self) -> dict[str, Any]:
        return {
            "timeout": self.settings.agent_seconds,
            "follow_redirects": False,  # Ollama's client would
            "headers": {"Accept-Encoding": "identity"},
            "event_hooks": {"response": [bound_response]},
        }

    def _cost(self, used: Used) -> float | None:
        read, written = self.settings.agent_input_price, self.settings.agent_output_price
        if read is None or written is None:
            return None
        return (used.input_tokens * read + used.output_tokens * written) / 1e6


def _counting(used: Used) -> Any:
    """Return LangChain's callback that counts into `used`."""
    from langchain_core.callbacks import BaseCallbackHandler

    class Counting(BaseCallbackHandler):
        def on_chat_model_start(self, serialized: dict[str, Any], messages: list[list[Any]], **kwargs: Any) -> None:
            used.ask([message.content for batch in messages for message in batch])

        def on_llm_end(self, response: Any, **kwargs: Any) -> None:
            message = next((each.message for batch in response.generations for each in batch), None)
            if message is None:
                return
            said = message.usage_metadata or {}
            used.answer(
                [message.content, [call["args"] for call in message.tool_calls]],
                said_read=said.get("input_tokens"),
                said_written=said.get("output_tokens"),
            )

    return Counting()


def _is_refusal(message: Any) -> bool:
    """Say whether a message without the answer is what its provider marks as a refusal."""
    reason = message.response_metadata.get("finish_reason") or message.response_metadata.get("stop_reason")
    return bool(message.additional_kwargs.get("refusal")) or reason in {"content_filter", "refusal"}
