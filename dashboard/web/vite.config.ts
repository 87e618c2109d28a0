import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

export default defineConfig({
  plugins: [react()],
  build: { assetsDir: "assets", sourcemap: false, target: "es2022", assetsInlineLimit: 0 },
});
