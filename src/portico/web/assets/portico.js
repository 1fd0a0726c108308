// Comforts on top of pages that work without them: look at a typed password, send a form once, see which tab is open.

const eye = document.querySelector("#portico-eye");

for (const input of eye ? document.querySelectorAll('input[type="password"]') : []) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "reveal";
  button.setAttribute("aria-pressed", "false");
  button.setAttribute("aria-label", eye.dataset.label);
  button.setAttribute("aria-controls", input.id);
  button.append(eye.content.cloneNode(true));
  button.addEventListener("click", () => {
    const shown = input.type === "password";
    input.type = shown ? "text" : "password";
    button.setAttribute("aria-pressed", String(shown));
  });
  input.after(button);
  // Sent as a password again, so that the browser offers to keep it and never as plain text.
  input.form?.addEventListener("submit", () => { input.type = "password"; });
}

for (const form of document.querySelectorAll('form[method="post"]')) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "1";
  });
}

for (const tab of document.querySelectorAll("nav a[aria-current]")) {
  const bar = tab.closest("nav");
  if (bar.scrollWidth > bar.clientWidth) bar.scrollLeft = tab.offsetLeft - (bar.clientWidth - tab.offsetWidth) / 2;
}

// A page taken from the back/forward cache may be sent again.
addEventListener("pageshow", () => {
  for (const form of document.forms) delete form.dataset.sent;
});
