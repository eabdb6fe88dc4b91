# Everything runs in .venv, which is made on first use. Further arguments: make test ARGS='-k chat -x'
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
PREFIX ?= /opt/daemun
BINDIR ?= /usr/local/bin
SYSCONFDIR ?= /etc
# `bundled`: do not look for a better one than the bundled one.
NGINX ?= best

# Every start of daemun would compile its modules anew: seconds, hundreds of times in the tests.
unexport PYTHONDONTWRITEBYTECODE

# Stamps: present and newer than what they depend on when the step need not be done again.
DEMO_READY := $(VENV)/.demo-ready
TEST_READY := $(VENV)/.test-ready
NGINX_READY := $(VENV)/.nginx-ready
PINS := pyproject.toml constraints.txt
# What the dashboard's pages load of others; scripts/frontend.py builds it anew when its content has changed.
FRONTEND := src/daemun/dashboard/static/vendor/.built
PIP := $(BIN)/pip --quiet --disable-pip-version-check --no-input
# The build backend is pinned, too: it comes from the constraints, not from an isolated, unpinned build environment.
BUILD := --no-build-isolation --constraint constraints.txt

.DELETE_ON_ERROR:
.PHONY: help demo test test-deep bench lint format wheel install pins clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /make \1\t/p' Makefile | expand -t 16

demo: $(DEMO_READY) $(NGINX_READY) ## the chat demo on https://chat.localhost:8443/
	@$(BIN)/daemun demo $(ARGS)

test: $(TEST_READY) ## every test
	@scripts/test-packages
	$(BIN)/python -m pytest $(ARGS)

test-deep: $(TEST_READY) ## property tests with many more examples, and every fault of every file of a state directory
	@scripts/test-packages
	DAEMUN_TEST_DEEP=1 $(BIN)/python -m pytest --hypothesis-profile deep -m "hypothesis or walk" $(ARGS)

bench: $(TEST_READY) ## speed beside other programs, into bench/RESULTS.md; QUICK=1: only whether it works
	@scripts/bench-packages
	$(BIN)/python -m bench $(if $(QUICK),--quick) $(ARGS)

lint: $(TEST_READY) ## ruff, mypy, and the layering of the packages
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(TEST_READY) ## put the code into its form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

wheel: $(TEST_READY) $(FRONTEND) ## dist/daemun-VERSION-py3-none-any.whl
	$(PIP) wheel $(BUILD) --no-deps --wheel-dir dist .

install: ## this version in a folder below $(PREFIX), a link to it in $(BINDIR), an account for nginx's workers (as root)
	@scripts/install "$(PREFIX)" "$(BINDIR)" "$(NGINX)"
	@mkdir -p "$(SYSCONFDIR)/daemun"
	@[ "$$(id -u)" != 0 ] || id daemun >/dev/null 2>&1 || useradd --system --no-create-home --shell /usr/sbin/nologin daemun

pins: ## constraints.txt anew, with the newest versions
	scripts/pin

clean: ## remove all that make made here
	rm -rf $(VENV) $(dir $(FRONTEND)) dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

$(BIN)/pip:
	@echo "Setting up $(VENV) (once)"
	@scripts/make-venv $(VENV)

$(FRONTEND): $(wildcard frontend/* frontend/.npmrc) scripts/frontend.py | $(BIN)/pip
	@needed=$$($(BIN)/python scripts/frontend.py --requirements); [ -z "$$needed" ] || $(PIP) install $$needed
	@$(BIN)/python scripts/frontend.py

$(DEMO_READY): $(PINS) | $(BIN)/pip $(FRONTEND)
	@echo "Installing daemun and its bundled nginx into $(VENV)"
	@$(PIP) install --constraint constraints.txt hatchling editables
	@$(PIP) install $(BUILD) --editable '.[nginx]'
	@touch $@

$(NGINX_READY): | $(DEMO_READY)
	@[ "$(NGINX)" != best ] || $(BIN)/daemun nginx install --best --shared || :
	@touch $@

$(TEST_READY): $(PINS) $(DEMO_READY) | $(FRONTEND)
	@echo "Installing the test tools into $(VENV)"
	@$(PIP) install $(BUILD) --editable '.[nginx,fleet,test]'
	@touch $@
