// A link from another site brings no session cookie; going on from our own page does.
document.querySelector("[data-follow]").click();
