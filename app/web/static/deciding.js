// Keys for reviewers: through the queue, and over an entry's decision, which is staged before it is signed.
// Everything here can be done by mouse, touch or Tab too, and the keys can be turned off (WCAG 2.2, 2.1.4).
// It begins once htmx has: until then the link to an address leads to its page.
"use strict";

setTimeout(() => {
  const form = document.getElementById("decision");
  const keys = document.getElementById("keys");
  const one = (selector, within = document) => within && within.querySelector(selector);
  const all = (selector, within = document) => (within ? [...within.querySelectorAll(selector)] : []);

  // Whether the keys are wanted; a browser that keeps nothing has them on.
  const wish = {
    get isOff() { try { return localStorage.getItem("wardlist-keys") === "off"; } catch { return false; } },
    set isOff(off) { try { localStorage.setItem("wardlist-keys", off ? "off" : "on"); } catch { /* not kept */ } },
  };

  const isTyping = (place) => place.matches("textarea, select, input:not([type=radio], [type=checkbox])");
  const verdict = () => one("input[name=decision]:checked", form);
  const unmet = () => all("[data-criterion]", form).filter((each) => !one("input[value=yes]", each).checked).length;
  const reason = () => one("#reason", form);
  const isSending = () => one("button.main", form).disabled;

  function say(text) {
    one("[data-staged]", form).textContent = text;
    one("[data-undo]", form).hidden = !verdict();
  }

  function unstage(text) {
    if (verdict()) verdict().checked = false;
    if (reason().value === reason().dataset.approval) reason().value = "";
    say(text);
  }

  // The state of the form in words, whichever way it got there.
  function look() {
    const staged = verdict();
    if (!staged) return say("Nothing is staged.");
    if (staged.value === "approve" && unmet()) {
      return unstage(`Not staged: an approval needs yes to every question, and ${unmet()} of 5 lack it.`);
    }
    if (staged.value === "approve" && !reason().value) reason().value = reason().dataset.approval;
    if (staged.value === "reject" && reason().value === reason().dataset.approval) reason().value = "";
    const name = staged.value === "approve" ? "Approval" : "Rejection";
    return say(`${name} staged. Enter signs it, u takes it back.`);
  }

  function stage(value) {
    one(`input[name=decision][value=${value}]`, form).checked = true;
    look();
    if (verdict()) (reason().value ? one("button.main", form) : reason()).focus();
  }

  function toggle(number) {
    const [yes, no] = ["yes", "no"].map((value) => one(`[data-criterion="${number}"] input[value=${value}]`, form));
    const next = yes.checked ? no : yes;
    next.checked = true;
    next.focus();
    look();
  }

  function move(step) {
    const rows = all("[data-row]");
    const place = rows.indexOf(document.activeElement);
    const next = rows[Math.min(Math.max(place + step, 0), rows.length - 1)];
    if (next) next.focus();
  }

  function hide() {
    one("#address").replaceChildren();
    one("[data-show]").focus();
  }

  // What each key does on this page; one that has nothing to do here is the browser's.
  function act(key) {
    if (key === "?" && keys) return () => { keys.open = !keys.open; one("summary", keys).focus(); };
    if (key === "v" && one("[data-show]")) return one("[data-hide]") ? hide : () => one("[data-show]").click();
    if (key === "n" && one("[data-next]")) return () => one("[data-next]").click();
    if (one("[data-row]") && (key === "j" || key === "ArrowDown")) return () => move(1);
    if (one("[data-row]") && (key === "k" || key === "ArrowUp")) return () => move(-1);
    if (!form || isSending()) return null;
    if (/^[1-5]$/.test(key)) return () => toggle(key);
    if (key === "a") return () => stage("approve");
    if (key === "r") return () => stage("reject");
    if (key === "u") return () => unstage("Taken back. Nothing is staged.");
    if (key === "Enter" && verdict() && document.activeElement === document.body) return () => form.requestSubmit();
    return null;
  }

  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    if (isTyping(event.target)) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    const done = wish.isOff ? null : act(event.key);
    if (!done) return;
    event.preventDefault();
    done();
  });

  document.addEventListener("click", (event) => {
    if (event.target.matches("[data-hide]")) hide();
  });

  if (form) {
    form.addEventListener("change", look);
    one("[data-undo] button", form).addEventListener("click", () => unstage("Taken back. Nothing is staged."));
    look();
  }

  const turn = one("[data-keys-switch]");
  if (turn) {
    const button = one("button", turn);
    const show = () => button.setAttribute("aria-pressed", String(wish.isOff));
    button.addEventListener("click", () => { wish.isOff = !wish.isOff; show(); });
    turn.hidden = false;
    show();
  }
  document.body.dataset.keys = "ready";
});
